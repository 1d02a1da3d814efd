"""Figures of predicted numbers, in their own unit, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from omnishot.episodes.rows import Rows
from omnishot.objectives.regress import Regress


def rows_of(target: torch.Tensor) -> Rows:
    return Rows({}, torch.ones(len(target), 1, dtype=torch.bool), target)


@given(st.integers(0, 2**32), st.integers(2, 50), st.floats(-1e3, 1e3), st.floats(1e-2, 1e3))
def test_figures_equal_scikit_learn(seed, rows, mean, std):
    g = torch.Generator().manual_seed(seed)
    target = torch.randn(rows, 1, generator=g, dtype=torch.float64)
    prediction = target + 0.5 * torch.randn(rows, 1, generator=g, dtype=torch.float64)
    objective = Regress(mean, std)
    own, guessed = objective.in_units(target), objective.in_units(prediction)
    figures = objective.metrics(prediction, rows_of(target))
    assert figures["mae"] == pytest.approx(mean_absolute_error(own, guessed), rel=1e-6)
    assert figures["rmse"] == pytest.approx(root_mean_squared_error(own, guessed), rel=1e-6)
    assert figures["r2"] == pytest.approx(r2_score(own, guessed), rel=1e-6, abs=1e-6)
    assert figures["loss"] == pytest.approx(float(((prediction - target) ** 2).mean()), rel=1e-12)


@given(st.floats(-1e3, 1e3), st.floats(1e-2, 1e3), st.integers(0, 99))
def test_encode_and_decode_are_inverse(mean, std, seed):
    x = np.random.default_rng(seed).normal(size=(5, 1)) * 100
    objective = Regress(mean, std)
    np.testing.assert_allclose(objective.in_units(torch.from_numpy(objective.standardised(x))), x, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(objective.standardised(np.array([[mean + std]])), 1)


def test_several_targets_each_by_its_place_and_their_mean():
    rng = np.random.default_rng(0)
    target, guess = rng.normal(size=(2, 40, 3)) * [1, 10, 0.1] + [0, 5, -2]
    objective = Regress().fit_numbers(target)
    rows = rows_of(torch.from_numpy(objective.standardised(target)))
    figures = objective.metrics(torch.from_numpy(objective.standardised(guess)), rows)
    for i in range(3):
        assert figures[f"mae_{i + 1}"] == pytest.approx(mean_absolute_error(target[:, i], guess[:, i]))
        assert figures[f"r2_{i + 1}"] == pytest.approx(r2_score(target[:, i], guess[:, i]))
    assert figures["mae"] == pytest.approx(mean_absolute_error(target, guess))
    assert figures["r2"] == pytest.approx(r2_score(target, guess))
    assert objective.outputs(None) == 3
    assert objective.decode(torch.from_numpy(objective.standardised(guess)), ()) == pytest.approx(guess)


def test_figures_are_finite_where_all_targets_are_equal():
    figures = Regress(5.0, 2.0).metrics(torch.zeros(3, 1), rows_of(torch.ones(3, 1)))
    assert figures["mae"] == 2.0
    assert np.isfinite(list(figures.values())).all()


def test_outputs_and_json():
    objective = Regress(1.5, 2.5)
    assert objective.outputs(None) == objective.outputs(5) == 1
    settings = objective.to_json()
    assert settings.pop("name") == "regress"
    again = Regress(**settings)
    assert (again.mean, again.std) == (1.5, 2.5)
