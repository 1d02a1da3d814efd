"""Class covariances against NumPy's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import helpers

from omnishot.errors import UsageError
from omnishot.learners.distances import squared_distances
from omnishot.nn.network import build_network

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}


@pytest.mark.parametrize("beta", [1.0, 0.1])
@pytest.mark.parametrize(
    "target",
    [
        [0, 1, 2, 0, 1, 2],  # fewer rows than the features are wide
        [0, 0, 0, 1, 2, 2],
        [0, 1, 2],
        [0, 0, 0, 0, 2, 2],
        [0, 1, 2] * 4,  # more
        [0, 0, 0, 1, 2, 2, 2, 2, 2, 2],
    ],
)
def test_predictions_equal_a_plain_computation(target, beta):
    method = helpers.learner("mahalanobis", helpers.network(*INPUTS), beta=beta)
    task = helpers.random_episode(INPUTS, tasks=1, shots=4).task(0)
    support = task.support.select(slice(len(target)))
    y = support.target.copy_(torch.tensor(target)).numpy()
    x, asked = (method.features(method.params(), rows).detach().numpy() for rows in (support, task.query))
    expected = np.zeros((len(asked), 3))
    for k in range(3):
        rows, n = x[y == k], (y == k).sum()
        own = np.cov(rows.T) if n > 1 else np.zeros((8, 8))
        q = n / (n + 1) * own + 1 / (n + 1) * np.cov(x.T) + beta * np.eye(8)
        mean = rows.mean(0) if n else np.zeros(8)
        expected[:, k] = [-0.5 * (a - mean) @ np.linalg.inv(q) @ (a - mean) for a in asked]
    assert np.allclose(method.answer(method.adapt(support), task.query), expected, rtol=1e-8, atol=1e-8)


def test_a_large_beta_is_the_euclidean_distance():
    method = helpers.learner("mahalanobis", helpers.network(*INPUTS), beta=1e9)
    task = helpers.random_episode(INPUTS, tasks=1).task(0)
    state = method.adapt(task.support)
    expected = -0.5 * squared_distances(method.features(method.params(), task.query), state["means"]) / 1e9
    assert torch.allclose(method.answer(state, task.query), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("shots", [1, 5])
def test_single_precision_is_enough_for_wide_features(shots):
    """Width 256, of far larger spread than β, and of lower rank than the covariances."""
    modalities = {"facts": helpers.tabular(6)}
    net = build_network(modalities, encoder_options={"facts": {"width": 256}})
    method = helpers.learner("mahalanobis", net)
    task = helpers.random_episode(modalities, tasks=1, ways=5, shots=shots, here=1.0)
    for half in (task.support, task.query):
        half.inputs["facts"][..., 0] *= 10
    answers = []
    for dtype in (torch.float64, torch.float32):
        rows = task.to("cpu", dtype).task(0)
        method.to(dtype)
        answers.append(method.answer(method.adapt(rows.support), rows.query).double())
    assert answers[0].abs().max() > 10
    assert (answers[1] - answers[0]).norm() / answers[0].norm() < 1e-3
    assert torch.equal(answers[0].argmax(-1), answers[1].argmax(-1))


def test_a_beta_of_zero_is_refused():
    with pytest.raises(UsageError, match=r"beta=0.0: use a number above 0"):
        helpers.learner("mahalanobis", helpers.network(*INPUTS), beta=0.0)
