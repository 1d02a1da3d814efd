"""Ridge regression as a head against NumPy's solver, in both forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import helpers

from omnishot.errors import UsageError
from omnishot.learners.r2d2 import ridge

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}


def plain(method, task, y: np.ndarray) -> np.ndarray:
    """Least squares of the stacked system [x 1; √λ I] w = [y; 0]."""
    x, asked = (method.features(method.params(), rows).detach().numpy() for rows in (task.support, task.query))
    x, asked = (np.concatenate([rows, np.ones((len(rows), 1))], 1) for rows in (x, asked))
    width = x.shape[1]
    root = np.exp(0.5 * method.log_ridge.item()) * np.eye(width)
    w = np.linalg.lstsq(np.concatenate([x, root]), np.concatenate([y, np.zeros((width, y.shape[1]))]), rcond=None)[0]
    return method.scale.item() * asked @ w + method.bias.item()


@pytest.mark.parametrize("shots", [1, 2, 9])  # 3, 6 and 27 rows, for features of width 8
def test_classes_equal_a_plain_computation(shots):
    method = helpers.learner("r2d2", helpers.network(*INPUTS))
    task = helpers.random_episode(INPUTS, tasks=1, shots=shots).task(0)
    expected = plain(method, task, np.eye(3)[task.support.target.numpy()])
    assert np.allclose(method.answer(method.adapt(task.support), task.query), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("shots", [1, 9])
def test_numbers_equal_a_plain_computation(shots):
    method = helpers.learner("r2d2", helpers.network(*INPUTS), "regress", ridge=0.3)
    task = helpers.random_episode(INPUTS, tasks=1, ways=None, shots=shots).task(0)
    expected = plain(method, task, task.support.target.numpy())
    assert np.allclose(method.answer(method.adapt(task.support), task.query), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("rows", [4, 300])
def test_single_precision_is_enough(rows):
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(rows, k, generator=g, dtype=torch.float64) for k in (256, 3))
    strength = torch.tensor(1e-2, dtype=torch.float64)
    expected = ridge(x, y, strength)
    got = ridge(x.float(), y.float(), strength.float())
    assert (got - expected).norm() / expected.norm() < 1e-3


def test_what_is_not_a_number_is_no_error_here():
    """Training looks at the loss and recovers; an exception in the middle of it would end the run."""
    x = torch.full((3, 5), torch.nan)
    assert ridge(x, torch.ones(3, 1), torch.tensor(1.0)).isnan().any()


@pytest.mark.parametrize("option", ["ridge", "scale"])
def test_settings_that_cannot_be_are_refused(option):
    with pytest.raises(UsageError, match=rf"{option}=0.0: use a number above 0"):
        helpers.learner("r2d2", helpers.network(*INPUTS), **{option: 0.0})
