"""The ridge map and its leave-one-out errors, against fits one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from omnishot.experiment.ridge import STRENGTHS, bridge, left_out, ridge_map


def pairs(n: int = 9, width: int = 4, out: int = 3, seed: int = 0, noise: float = 0.5):
    g = torch.Generator().manual_seed(seed)
    x, w = (torch.randn(*shape, generator=g, dtype=torch.float64) for shape in ((n, width), (width, out)))
    return x, x @ w + noise * torch.randn(n, out, generator=g, dtype=torch.float64) + 2.0


def fitted(x, y, penalty: float):
    """Ridge regression with an intercept that nothing is held against, by the normal equations of both together."""
    x, y = x.numpy(), y.numpy()
    wide = np.hstack([x, np.ones((len(x), 1))])
    held = penalty * np.eye(wide.shape[1])
    held[-1, -1] = 0
    fit = np.linalg.solve(wide.T @ wide + held, wide.T @ y)
    return lambda new: new.numpy() @ fit[:-1] + fit[-1]


@pytest.mark.parametrize("width", [1, 4, 30])  # fewer numbers than rows, and more
@pytest.mark.parametrize("penalty", [0.05, 1.0, 40.0])
def test_the_map_and_its_errors_are_those_of_fits_one_by_one(width, penalty):
    x, y = pairs(width=width)
    new, _ = pairs(5, width, seed=1)
    predicted = (new - x.mean(0)) @ ridge_map(x, y, penalty) + y.mean(0)
    np.testing.assert_allclose(predicted, fitted(x, y, penalty)(new), atol=1e-8)
    guesses = left_out(x, y, penalty)
    for i in range(len(x)):
        others = torch.arange(len(x)) != i
        np.testing.assert_allclose(guesses[i], fitted(x[others], y[others], penalty)(x[[i]])[0], atol=1e-8)


def test_the_penalty_with_the_least_error_is_taken():
    for noise in (0.01, 1.0, 5.0):
        x, y = pairs(n=20, noise=noise)
        scale = (x - x.mean(0)).square().sum(-1).mean()
        errors = {s: (left_out(x, y, float(s * scale)) - y).square().sum() for s in STRENGTHS}
        mean = torch.stack([y[torch.arange(20) != i].mean(0) for i in range(20)])
        without = (mean - y).square().sum()
        best = min(errors, key=errors.__getitem__)
        fit = bridge(x, y)
        assert errors[best] < without
        torch.testing.assert_close(fit["weight"], ridge_map(x, y, float(best * scale)))
        torch.testing.assert_close(fit["left_out"] + fit["mean"], left_out(x, y, float(best * scale)))
        assert fit["explained"].item() == pytest.approx(1 - float(errors[best] / without), abs=1e-10)


def test_the_cleaner_the_pairs_the_weaker_the_penalty_and_the_more_is_explained():
    clean, noisy = (bridge(*pairs(n=20, noise=noise)) for noise in (0.01, 3.0))
    assert clean["explained"] > 0.99 > 0.9 > noisy["explained"]
    x, y = pairs(n=20, noise=0.01)
    plain = torch.linalg.lstsq(x - x.mean(0), y - y.mean(0)).solution
    torch.testing.assert_close(clean["weight"], plain, rtol=0.02, atol=0.02)


def test_what_says_nothing_maps_to_nothing():
    x, y = pairs(n=40, width=2)
    unrelated = torch.randn(40, 2, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    kept = [bridge(torch.roll(unrelated, i, 0), y)["explained"].item() for i in range(20)]
    assert np.mean(kept) < 0.05
    assert min(kept) == 0.0
    same = bridge(torch.ones(40, 2, dtype=torch.float64), y)
    assert (same["weight"] == 0).all()
    assert same["explained"] == 0
    alike = bridge(x, torch.ones(40, 3, dtype=torch.float64))
    assert all(t.isfinite().all() for t in alike.values())


def test_two_pairs_are_enough_to_be_defined():
    fit = bridge(*pairs(n=2))
    assert all(t.isfinite().all() for t in fit.values())
    assert fit["explained"] == 0  # a row left out leaves one, of which any map gives the mean
