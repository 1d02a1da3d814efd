"""The probe against scikit-learn on the same features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from support import helpers

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError

INPUTS = {n: helpers.MODALITIES[n] for n in ("photo", "facts")}


def built(objective: str = "classify", **options):
    return helpers.learner("probe", helpers.network(*INPUTS), objective, **options)


def task(ways: int | None, rows: int = 24) -> tuple[Rows, Rows]:
    return tuple(helpers.random_rows(INPUTS, (rows,), ways, seed, here=0.8) for seed in (0, 1))


@pytest.mark.parametrize("strength", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("ways", [2, 3, 6])
def test_classes_as_scikit_learn_on_features_of_unit_length(ways, strength):
    method = built(strength=strength)
    support, query = task(ways)
    with torch.no_grad():
        x, asked = (method.network(rows).numpy() for rows in (support, query))
    x, asked = (f / np.linalg.norm(f, axis=1, keepdims=True) for f in (x, asked))
    model = LogisticRegression(C=strength, max_iter=1000, tol=1e-10).fit(x, support.target.numpy())
    probabilities = method.answer(method.adapt(support), query).softmax(-1)
    assert np.allclose(probabilities, model.predict_proba(asked), atol=1e-3)  # ours stops at the default tolerance
    assert np.array_equal(probabilities.argmax(-1), model.predict(asked))


@pytest.mark.parametrize("strength", [0.1, 1.0, 30.0])
def test_numbers_as_scikit_learn(strength):
    method = built("regress", strength=strength)
    support, query = task(None)
    with torch.no_grad():
        x, asked = (method.network(rows).numpy() for rows in (support, query))
    expected = Ridge(alpha=1 / strength, solver="cholesky").fit(x, support.target.numpy()).predict(asked)
    assert np.allclose(method.answer(method.adapt(support), query)[:, 0], expected.ravel(), atol=1e-8)


def test_the_network_is_frozen_and_the_joint_training_is_that_of_finetune():
    method, tuned = built(), helpers.learner("finetune", helpers.network(*INPUTS))
    assert set(method.adapt(task(3)[0])) == {"weight", "bias"}
    batch = helpers.random_episode(INPUTS)
    tuned.load_state_dict(method.state_dict())
    expected = helpers.meta_gradient(tuned, batch)
    assert helpers.relative_error(helpers.meta_gradient(method, batch), expected) == 0


@pytest.mark.parametrize("strength", [0.0, -1.0])
def test_a_penalty_that_cannot_be_is_refused(strength):
    with pytest.raises(UsageError, match="strength must be above 0"):
        built(strength=strength)
