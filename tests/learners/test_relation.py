"""Relation networks against the same computation in NumPy, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import helpers

from omnishot.errors import UsageError

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}


def related(method, prototype: np.ndarray, row: np.ndarray) -> float:
    own = {n.removeprefix("relation."): p.detach().numpy() for n, p in method.named_parameters()}
    x = np.concatenate([prototype, row] + ([(prototype - row) ** 2] if method.difference else []))
    for layer in (0, 2):
        x = np.maximum(own[f"{layer}.weight"] @ x + own[f"{layer}.bias"], 0)
    return (own["4.weight"] @ x + own["4.bias"]).item()


def plain(method, task) -> np.ndarray:
    """The scores `[rows, ways]`."""
    x, asked = (method.features(method.params(), rows).detach().numpy() for rows in (task.support, task.query))
    y = task.support.target.numpy()
    return np.array([[related(method, x[y == k].mean(0), q) for k in range(3)] for q in asked])


@pytest.mark.parametrize("difference", [True, False])
def test_scores_and_loss_equal_a_plain_computation(difference):
    method = helpers.learner("relation", helpers.network(*INPUTS), hidden=12, difference=difference)
    task = helpers.random_episode(INPUTS, tasks=1).task(0)
    task.support.target[:2] = 0  # unequal shots
    expected = plain(method, task)
    assert np.allclose(method.answer(method.adapt(task.support), task.query), expected, rtol=1e-8, atol=1e-8)
    sigmoids = 1 / (1 + np.exp(-expected))
    squared = ((sigmoids - np.eye(3)[task.query.target.numpy()]) ** 2).mean()
    assert method.loss(method.params(), task).item() == pytest.approx(squared, rel=1e-8)


def test_the_softmax_is_the_probability_given_that_one_class_is_right():
    """Three independent yes and no questions with the sigmoids' probabilities, of which exactly one is yes."""
    scores = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
    yes = scores.sigmoid()
    only = torch.stack([yes[k] * (1 - yes).prod() / (1 - yes[k]) for k in range(3)])
    assert torch.allclose(scores.softmax(-1), only / only.sum(), rtol=1e-12)


def test_a_width_of_nothing_is_refused():
    with pytest.raises(UsageError, match="hidden=0: use 1 or more"):
        helpers.learner("relation", helpers.network(*INPUTS), hidden=0)
