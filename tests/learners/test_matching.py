"""Matching networks against the same computation in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import helpers

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}


def attention(method, task) -> np.ndarray:
    """The attention `[query rows, support rows]`, row by row."""
    x, asked = (method.features(method.params(), rows).detach().numpy() for rows in (task.support, task.query))
    scale = math.exp(method.log_scale.item()) if method.scale is None else method.scale
    weights = np.zeros((len(asked), len(x)))
    for i, q in enumerate(asked):
        for j, s in enumerate(x):
            weights[i, j] = math.exp(scale * (q @ s) / (np.linalg.norm(q) * np.linalg.norm(s)))
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize("scale", [None, 1.0])
@pytest.mark.parametrize("target", [[0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 2, 2]])
def test_probabilities_equal_a_plain_computation(scale, target):
    method = helpers.learner("matching", helpers.network(*INPUTS), scale=scale)
    task = helpers.random_episode(INPUTS, tasks=1).task(0)
    y = task.support.target.copy_(torch.tensor(target))
    expected = attention(method, task) @ np.eye(3)[y.numpy()]
    answer = method.answer(method.adapt(task.support), task.query)
    assert np.allclose(answer, np.log(expected), rtol=1e-8, atol=1e-8)


def test_numbers_equal_a_plain_computation():
    method = helpers.learner("matching", helpers.network(*INPUTS), "regress")
    task = helpers.random_episode(INPUTS, tasks=1, ways=None).task(0)
    expected = attention(method, task) @ task.support.target.numpy()
    assert np.allclose(method.answer(method.adapt(task.support), task.query), expected, rtol=1e-8, atol=1e-8)


def test_a_class_without_rows_is_behind_every_other_and_finite():
    method = helpers.learner("matching", helpers.network(*INPUTS))
    task = helpers.random_episode(INPUTS, tasks=1, ways=2, here=1.0).task(0)
    answers = []
    for ways, numbers in ((2, task.support.target), (3, 2 * task.support.target)):  # classes 0 and 2 of three
        support = Rows(task.support.inputs, task.support.present, numbers, None, ways)
        answers.append(method.answer(method.adapt(support), task.query))
    assert torch.equal(answers[1][:, [0, 2]], answers[0])
    assert (answers[1][:, 1] <= answers[0].amin(-1)).all()
    assert answers[1].isfinite().all()


def test_probabilities_too_small_to_write_down_have_finite_logarithms():
    method = helpers.learner("matching", helpers.network(*INPUTS), scale=1e6).float()
    task = helpers.random_episode(INPUTS, tasks=1, dtype=torch.float32).task(0)
    answer = method.answer(method.adapt(task.support), task.query)
    assert answer.isfinite().all()
    assert (answer.exp() == 0).any()


def test_a_scale_below_zero_is_refused():
    with pytest.raises(UsageError, match=r"scale=-1.0: use a number above 0"):
        helpers.learner("matching", helpers.network(*INPUTS), scale=-1.0)
