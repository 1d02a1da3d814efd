"""Invariant 4: the meta-gradient by one vmap equals the loop over tasks."""

from __future__ import annotations

import helpers
import pytest
import torch

from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.encoders import ENCODERS
from omnishot.nn.fusion import FUSIONS

TRAINED = [n for n in LEARNERS.names() if LEARNERS.load(n).meta_trained]


def check(method: Learner, shots: int = 2, queries: int = 3) -> None:
    modalities = {n: helpers.MODALITIES[n] for n in method.network.names}
    ways = 3 if method.objective.name == "classify" else None
    batch = helpers.random_episode(modalities, tasks=3, ways=ways, shots=shots, queries=queries)
    looped = helpers.meta_gradient(method, batch)
    losses = method.backward(batch)
    vectorized = helpers.meta_gradient(method, batch, vectorize=True)
    assert helpers.relative_error(vectorized, looped) < 1e-10
    assert torch.allclose(method.backward(batch, vectorize=True), losses, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("fusion", FUSIONS.names())
@pytest.mark.parametrize("name", TRAINED)
def test_every_learner_in_every_fusion(name, fusion):
    check(helpers.learner(name, helpers.network(*helpers.MODALITIES, fusion=fusion)))


@pytest.mark.parametrize("encoder", ENCODERS.names())
@pytest.mark.parametrize("name", TRAINED)
def test_every_learner_with_every_encoder(name, encoder):
    check(helpers.learner(name, helpers.network(helpers.READS[encoder], encoders=(encoder,))))


@pytest.mark.parametrize("encoder", ["conv4", "resnet", "logmel", "conv1d"])
@pytest.mark.parametrize("norm", ["layer", "instance", "batch", "none"])
def test_every_norm(norm, encoder):
    check(helpers.learner("maml", helpers.network(helpers.READS[encoder], encoders=(encoder,), norm=norm)))


@pytest.mark.parametrize("name", ["maml", "anil"])
@pytest.mark.parametrize(
    "options",
    [
        {"second_order": False},
        {"learn_rates": True},
        {"learn_rates": True, "second_order": False},
        {"head": "fixed", "ways": 3},
        {"head": "fixed", "ways": 3, "second_order": False},
        {"inner_steps": 5},
    ],
    ids=str,
)
def test_every_form_of_maml(name, options):
    check(helpers.learner(name, helpers.network("photo", "words", "facts"), **options))


@pytest.mark.parametrize("second_order", [True, False])
@pytest.mark.parametrize("name", [n for n in TRAINED if "regress" in LEARNERS.load(n).serves])
def test_numbers(name, second_order):
    options = {"second_order": second_order} if name in ("maml", "anil") else {}
    check(helpers.learner(name, helpers.network(*helpers.MODALITIES), "regress", **options))


def test_gradients_add_up_over_calls():
    """Two backward calls sum, in either path: what accumulation over meta-batches rests on."""
    method = helpers.learner("protonet", helpers.network("photo", "facts"))
    modalities = {n: helpers.MODALITIES[n] for n in ("photo", "facts")}
    batches = [helpers.random_episode(modalities, seed=s) for s in (1, 2)]
    apart = [helpers.meta_gradient(method, b) for b in batches]
    for vectorize in (False, True):
        method.zero_grad()
        for b in batches:
            method.backward(b, vectorize=vectorize)
        together = {n: p.grad for n, p in method.named_parameters()}
        assert helpers.relative_error(together, {n: apart[0][n] + apart[1][n] for n in together}) < 1e-12
