"""Siamese networks against the same computation in NumPy, pair by pair."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import helpers

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.learners.siamese import Siamese

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}


def embedded(method: Siamese, rows: Rows) -> np.ndarray:
    return method.features(method.params(), rows).detach().numpy()


def apart(a: np.ndarray, b: np.ndarray) -> float:
    return math.sqrt(((a - b) ** 2).mean())


@pytest.mark.parametrize("target", [[0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 2, 2], [0, 0, 0, 0, 2, 2]])
def test_scores_equal_a_plain_computation(target):
    method = helpers.learner("siamese", helpers.network(*INPUTS), scale=3.0)
    task = helpers.random_episode(INPUTS, tasks=1).task(0)
    y = task.support.target.copy_(torch.tensor(target))
    x = embedded(method, task.support)
    answer = method.answer(method.adapt(task.support), task.query)
    for q, scores in zip(embedded(method, task.query), answer.tolist(), strict=True):
        to = [-3 * apart(q, s) ** 2 for s in x]
        for k in range(3):
            expected = max((s for s, of in zip(to, y.tolist(), strict=True) if of == k), default=min(to) - 1)
            assert scores[k] == pytest.approx(expected, rel=1e-8)
        assert y[np.argmax(to)] == np.argmax(scores)  # the nearest neighbour's class


@pytest.mark.parametrize("neighbours", [1, 2, 4, 99])
def test_numbers_equal_a_plain_computation(neighbours):
    method = helpers.learner("siamese", helpers.network(*INPUTS), "regress", neighbours=neighbours)
    task = helpers.random_episode(INPUTS, tasks=1, ways=None).task(0)
    x, y = embedded(method, task.support), task.support.target[:, 0].numpy()
    answer = method.answer(method.adapt(task.support), task.query)
    for q, number in zip(embedded(method, task.query), answer[:, 0].tolist(), strict=True):
        squared = np.array([apart(q, s) ** 2 for s in x])
        near = squared <= np.sort(squared)[:neighbours].max() + 1e-12  # rows with nothing present are alike
        weights = np.exp(-10 * squared[near])
        assert number == pytest.approx(weights @ y[near] / weights.sum(), rel=1e-8)


@pytest.mark.parametrize("objective", ["classify", "regress"])
def test_the_loss_is_that_of_all_pairs(objective):
    method = helpers.learner("siamese", helpers.network(*INPUTS), objective, margin=1.3)
    ways = 3 if objective == "classify" else None
    task = helpers.random_episode(INPUTS, tasks=1, ways=ways).task(0)
    x = np.concatenate([embedded(method, half) for half in (task.support, task.query)])
    y = np.concatenate([half.target.numpy().reshape(-1) for half in (task.support, task.query)])
    there = np.concatenate([half.present.any(-1).numpy() for half in (task.support, task.query)])
    assert not there.all()  # nothing is learned from what is not there
    same, other, numbers = [], [], []
    for i in range(len(x)):
        for j in range(i):
            if not (there[i] and there[j]):
                continue
            d = math.sqrt(apart(x[i], x[j]) ** 2 + 1e-6)
            numbers.append((d - abs(y[i] - y[j])) ** 2)
            (same if y[i] == y[j] else other).append(d**2 - 1e-6 if y[i] == y[j] else max(0, 1.3 - d) ** 2)
    expected = (np.mean(same) + np.mean(other)) / 2 if ways else np.mean(numbers)
    assert method.loss(method.params(), task).item() == pytest.approx(expected, rel=1e-8)


def test_one_class_alone_has_no_pairs_of_two():
    method = helpers.learner("siamese", helpers.network(*INPUTS))
    batch = helpers.random_episode(INPUTS, ways=1, here=1.0)
    assert all(g.isfinite().all() for g in helpers.meta_gradient(method, batch).values())
    assert method.loss(method.params(), batch.task(0)) > 0


@pytest.mark.parametrize("here", [True, False])
def test_rows_that_are_alike_have_a_finite_gradient(here):
    method = helpers.learner("siamese", helpers.network(*INPUTS))
    batch = helpers.random_episode(INPUTS, here=1.0)
    for cells in batch.support.inputs.values():
        cells[:] = cells[:, :1].clone()
    batch.support.present[:] = here
    batch = Episode(batch.support, batch.support)
    assert all(g.isfinite().all() for g in helpers.meta_gradient(method, batch).values())


@pytest.mark.parametrize("option", ["margin", "neighbours", "scale"])
def test_settings_that_cannot_be_are_refused(option):
    with pytest.raises(UsageError, match=f"{option}=0: use a number above 0"):
        helpers.learner("siamese", helpers.network(*INPUTS), **{option: 0})
