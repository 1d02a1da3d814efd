"""Invariant 2: a query row alone is predicted as in a batch, unless the learner says that it is transductive."""

from __future__ import annotations

import pytest
import torch
from support import helpers
from torch import Tensor

from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.encoders import ENCODERS
from omnishot.nn.fusion import FUSIONS

RAW = ("centroid", "logreg", "cca")


def alone_and_together(method: Learner, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Predictions `[rows, out]` of query rows one by one and all at once, in float32."""
    method = method.float()
    modalities = {n: helpers.MODALITIES[n] for n in method.network.names}
    ways = 3 if method.objective.name == "classify" else None
    batch = helpers.random_episode(modalities, tasks=1, ways=ways, seed=seed, dtype=torch.float32).task(0)
    state = method.adapt(batch.support)
    together = method.answer(state, batch.query)
    alone = [method.answer(state, batch.query.select(slice(i, i + 1))) for i in range(len(batch.query))]
    return torch.cat(alone), together


def check(method: Learner) -> None:
    assert not method.transductive
    alone, together = alone_and_together(method)
    assert torch.allclose(alone, together, rtol=1e-5, atol=1e-5)
    assert together.std(0).max() > 1e-4  # rows do differ


@pytest.mark.parametrize("how", helpers.OTHER_NETWORKS)
@pytest.mark.parametrize("name", helpers.EVERYWHERE)
def test_a_row_alone_is_predicted_as_in_a_batch_at_any_level_and_with_any_filling(name, how):
    check(helpers.learner(name, helpers.mixed(name, **helpers.OTHER_NETWORKS[how])))


@pytest.mark.parametrize(("name", "fusion"), helpers.crossed(LEARNERS.names(), FUSIONS.names()))
def test_a_row_alone_is_predicted_as_in_a_batch(name, fusion):
    check(helpers.learner(name, helpers.mixed(name, fusion=fusion)))


@pytest.mark.parametrize("encoder", ENCODERS.names())
@pytest.mark.parametrize("norm", ["layer", "group", "instance", "none"])
def test_in_every_encoder_and_inductive_norm(encoder, norm):
    check(helpers.learner("maml", helpers.network(helpers.READS[encoder], encoders=(encoder,), norm=norm)))


@pytest.mark.parametrize("name", [n for n in LEARNERS.names() if "regress" in LEARNERS.load(n).serves])
def test_when_predicting_numbers(name):
    check(helpers.learner(name, helpers.mixed(name), "regress"))


@pytest.mark.parametrize("name", [n for n in LEARNERS.names() if n not in RAW])
def test_batch_norm_says_that_it_is_transductive_and_is(name):
    method = helpers.learner(name, helpers.network("photo", "sensor", norm="batch"))
    assert method.transductive
    alone, together = alone_and_together(method)
    assert (alone - together).abs().max() > 1e-2


@pytest.mark.parametrize("name", RAW)
def test_raw_features_do_not_pass_through_the_norm(name):
    check(helpers.learner(name, helpers.network("photo", "sensor", norm="batch")))
