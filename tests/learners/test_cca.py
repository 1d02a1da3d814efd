"""Canonical correlations against scikit-learn's, and classes learned from one input that another recognises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from support import helpers

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import DataError, UsageError
from omnishot.learners.canonical import canonical, whitening
from omnishot.learners.distances import cosines
from omnishot.nn.network import build_network

INPUTS = {"facts": helpers.MODALITIES["facts"], "words": helpers.MODALITIES["words"]}


def related(seed: int, rows: int, *widths: int, shared: int = 3, noise: float = 0.3) -> list[torch.Tensor]:
    """Views `[rows, width]` of the same few hidden numbers, each mixed in its own way, with noise."""
    g = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, shared, generator=g, dtype=torch.float64) * torch.tensor([1.0, 0.7, 0.4])[:shared]
    mixing = [torch.randn(shared, w, generator=g, dtype=torch.float64) for w in widths]
    return [hidden @ m + noise * torch.randn(rows, m.shape[1], generator=g, dtype=torch.float64) + 5 for m in mixing]


def variates(views, centres, maps) -> list[np.ndarray]:
    return [((x - centre) @ m).numpy() for x, centre, m in zip(views, centres, maps, strict=True)]


def same_up_to_sign(a: np.ndarray, b: np.ndarray, atol: float) -> bool:
    return bool(np.allclose(a * np.sign((a * b).sum(0)), b, atol=atol))


@pytest.mark.parametrize("principal", [4, 50])
def test_two_views_equal_scikit_learn(principal):
    views = related(0, 200, 9, 6)
    centres, maps, correlations = canonical(views, torch.ones(200, 2, dtype=torch.bool), 3, principal)
    scores = [PCA(min(principal, x.shape[1])).fit_transform(x.numpy()) for x in views]
    expected = CCA(3, max_iter=100_000, tol=1e-24).fit(*scores).transform(*scores)
    for mine, theirs in zip(variates(views, centres, maps), expected, strict=True):
        assert np.allclose(mine.mean(0), 0, atol=1e-10)
        assert np.allclose(mine.std(0), 1, atol=1e-10)
        assert same_up_to_sign(mine, theirs / theirs.std(0), atol=1e-8)
    measured = [np.corrcoef(expected[0][:, k], expected[1][:, k])[0, 1] for k in range(3)]
    assert np.allclose(correlations, measured, atol=1e-10)
    assert 0.99 > measured[0] > measured[1] > measured[2] > 0.1


def test_three_views_are_what_their_sum_varies_most_by():
    """Carroll's definition: the variate of a view is its least-squares prediction of what all views share."""
    views = related(1, 300, 7, 5, 6)
    centres, maps, correlations = canonical(views, torch.ones(300, 3, dtype=torch.bool), 3, 50)
    result = variates(views, centres, maps)
    projections = [(q := np.linalg.qr((x - x.mean(0)).numpy())[0]) @ q.T for x in views]
    values, vectors = np.linalg.eigh(sum(projections))
    for k in range(3):
        shared = vectors[:, -1 - k]
        assert correlations[k] == pytest.approx((values[-1 - k] - 1) / 2, abs=1e-10)
        mine = np.concatenate([v[:, k] for v in result])
        theirs = np.concatenate([p @ shared for p in projections])
        assert abs(np.corrcoef(mine, theirs)[0, 1]) == pytest.approx(1, abs=1e-10)
        theirs *= np.linalg.norm(mine) / np.linalg.norm(theirs) * np.sign(mine @ theirs)
        assert np.allclose(mine, theirs, atol=1e-8)


def test_absent_rows_are_left_out():
    views = related(2, 4000, 6, 5, shared=1)
    present = torch.rand(4000, 2, generator=torch.Generator().manual_seed(0)) < 0.7
    corrupted = [torch.where(present[:, i, None], x, 1e9) for i, x in enumerate(views)]
    result, again = (canonical(v, present, 2, 50) for v in (corrupted, views))
    assert all(torch.equal(a, b) for a, b in zip([*result[0], *result[1]], [*again[0], *again[1]], strict=True))
    whole = canonical(views, torch.ones(4000, 2, dtype=torch.bool), 1, 50)
    for mine, theirs in zip(variates(views, *result[:2]), variates(views, *whole[:2]), strict=True):
        assert abs(np.corrcoef(mine[:, 0], theirs[:, 0])[0, 1]) > 0.99


def test_what_is_not_to_be_had_is_zero():
    views = related(3, 50, 6, 2, shared=1)
    _, maps, correlations = canonical(views, torch.ones(50, 2, dtype=torch.bool), 5, 50)
    assert (correlations[2:] == 0).all()
    assert all((m[:, 2:] == 0).all() and (m[:, 0] != 0).all() for m in maps)
    one = torch.zeros(50, 2, dtype=torch.bool)
    one[0] = True
    assert all((m == 0).all() for m in canonical(views, one, 5, 50)[1])


def test_whitening_drops_what_is_constant():
    x = torch.cat([related(4, 40, 3)[0], torch.full((40, 2), 7.0, dtype=torch.float64)], -1)
    mean, white = whitening(x, 50)
    assert white.shape == (5, 3)
    z = (x - mean) @ white
    assert torch.allclose(z.T @ z / 40, torch.eye(3, dtype=torch.float64), atol=1e-12)


# -- the learner -------------------------------------------------------------------------------------------


def built(fit_rows: int = 60, **options):
    return helpers.learner("cca", helpers.network(*INPUTS), fit_rows=fit_rows, **options)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_predictions_equal_a_plain_computation(power):
    method = built(power=power, components=4)
    kept = helpers.random_rows(method.network.modalities, (60,), 3, seed=50)  # as `helpers.learner` remembers
    raw = method.network.raw(kept).split(method.widths, -1)
    centres, maps, correlations = canonical(raw, kept.present, 4, 64)
    task = helpers.random_episode(INPUTS, tasks=1, here=0.7).task(0)

    def mapped(rows: Rows) -> torch.Tensor:
        parts = method.network.raw(rows).split(method.widths, -1)
        total = torch.zeros(len(rows), 4, dtype=torch.float64)
        for r in range(len(rows)):
            own = [(parts[i][r] - centres[i]) @ maps[i] for i in range(2) if rows.present[r, i]]
            total[r] = sum(own) / len(own) if own else 0.0
        return total * correlations**power

    means = torch.stack([mapped(task.support)[task.support.target == k].mean(0) for k in range(3)])
    expected = 10 * cosines(mapped(task.query), means)
    assert torch.allclose(method.answer(method.adapt(task.support), task.query), expected, atol=1e-10)
    assert expected.std() > 0.1


def across(seed: int, tasks: int) -> Episode:
    """Classes that are points of a hidden plane; one input shows it in some numbers, the other in others."""
    g = torch.Generator().manual_seed(seed)
    mixing = torch.randn(2, 2, 8, generator=torch.Generator().manual_seed(99))
    centres = 3 * torch.randn(tasks, 5, 2, generator=g)
    halves = []
    for here, each in ((0, 1), (1, 4)):
        target = torch.arange(5).repeat_interleave(each)
        hidden = centres[:, target] + 0.3 * torch.randn(tasks, len(target), 2, generator=g)
        cells = {}
        for i, name in enumerate(("left", "right")):
            x = hidden @ mixing[i] + torch.randn(tasks, len(target), 8, generator=g)
            cells[name] = torch.cat([x, torch.ones_like(x)], -1).unflatten(-1, (2, 8)).transpose(-1, -2).contiguous()
        present = (torch.arange(2) == here).expand(tasks, len(target), 2)
        halves.append(Rows(cells, present, target.expand(tasks, -1), None, 5))
    return Episode(*halves)


def test_a_class_learned_from_one_input_is_recognised_by_another():
    modalities = {"left": helpers.tabular(8), "right": helpers.tabular(8)}
    method = helpers.learner("cca", build_network(modalities, "concat", 8), fit_rows=200).float()
    support = across(0, 40).support
    whole = Rows({n: x.flatten(0, 1) for n, x in support.inputs.items()}, torch.ones(200, 2, dtype=torch.bool))
    untrained = helpers.judged(method, across(1, 50))
    method.remember(whole)
    assert helpers.judged(method, across(1, 50)) > 0.6 > 0.4 > untrained


def test_rows_that_pair_nothing_are_refused():
    method = built()
    rows = helpers.random_rows(INPUTS, (60,), 3)
    alone = Rows(rows.inputs, torch.arange(2).expand(60, 2) == (torch.arange(60) % 2)[:, None])
    with pytest.raises(DataError, match="of 60 training rows it has seen at most 0 have the same two"):
        method.remember(alone)


def test_options_are_checked():
    for name in ("components", "principal", "fit_rows"):
        with pytest.raises(UsageError, match=f"{name}=0: use 1 or more"):
            built(**{name: 0})
    with pytest.raises(UsageError, match=r"power must be at least 0 and finite, not -1\.0"):
        built(power=-1.0)
    assert not built(power=2.0).needs.tuned
    assert built().needs.tuned
