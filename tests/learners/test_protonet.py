"""Prototypical networks against the same computation in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import helpers

from omnishot.errors import UsageError
from omnishot.learners.distances import unit
from omnishot.learners.protonet import ProtoNet
from omnishot.objectives.classify import Classify

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("scale", [None, 0.7])
def test_predictions_equal_a_plain_computation(distance, scale):
    method = helpers.learner("protonet", helpers.network(*INPUTS), distance=distance, scale=scale)
    task = helpers.random_episode(INPUTS, tasks=1, ways=4, shots=3).task(0)
    x, asked = (method.features(method.params(), rows).detach().numpy() for rows in (task.support, task.query))
    y = task.support.target.numpy()
    s = math.exp(method.log_scale.item()) if scale is None else scale
    expected = np.zeros((len(asked), 4))
    for i, q in enumerate(asked):
        for k in range(4):
            p = x[y == k].mean(0)
            angle = q @ p / (np.linalg.norm(q) * np.linalg.norm(p))
            expected[i, k] = s * angle if distance == "cosine" else -s * ((q - p) ** 2).sum()
    assert np.allclose(method.answer(method.adapt(task.support), task.query), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("distance", "start"), [("euclidean", 8**-0.5), ("cosine", 10.0)])
def test_where_a_learned_scale_starts(distance, start):
    method = ProtoNet(helpers.network(*INPUTS), Classify(), distance=distance)
    assert method.log_scale.exp().item() == pytest.approx(start, rel=1e-6)


def test_a_row_of_zeros_has_no_direction():
    x = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    y = unit(x)
    assert torch.equal(y, torch.zeros(2, 3))
    (y * torch.randn(2, 3, dtype=torch.float64)).sum().backward()
    assert x.grad.isfinite().all()


def test_a_distance_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="unknown distance 'cosin': did you mean 'cosine'"):
        helpers.learner("protonet", helpers.network(*INPUTS), distance="cosin")
