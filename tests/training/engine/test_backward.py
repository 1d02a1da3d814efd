"""Invariant 4: every way to run the tasks of a meta-batch gives the gradient of the loop over tasks."""

from __future__ import annotations

import pytest
import torch
from support import helpers

from omnishot.errors import UsageError
from omnishot.experiment.plan import Plan
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.learners.reptile import Reptile
from omnishot.nn.encoders import ENCODERS
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.linear import LowRank
from omnishot.nn.network import build_network
from omnishot.training.engine.backward import backward

TRAINED = [n for n in LEARNERS.names() if LEARNERS.load(n).meta_trained]


def plans_for(method: Learner) -> list[str]:
    """All tasks at once, and more than divide them evenly."""
    return ["vmap", "vmap:2"] + (["split", "split:2"] if method.splits else [])


def check(method: Learner, shots: int = 2, queries: int = 3) -> None:
    batch = helpers.episode_for(method, tasks=3, shots=shots, queries=queries)
    looped = helpers.meta_gradient(method, batch)
    losses = backward(method, batch)
    # Adam divides by the root of the squared gradient, which makes more of rounding.
    bound = 1e-9 if isinstance(method, Reptile) else 1e-10
    for plan in plans_for(method):
        assert helpers.relative_error(helpers.meta_gradient(method, batch, plan), looped) < bound, plan
        assert torch.allclose(backward(method, batch, Plan.parse(plan)), losses, rtol=1e-10, atol=1e-10), plan


@pytest.mark.parametrize(("name", "fusion"), helpers.crossed(TRAINED, FUSIONS.names()))
def test_every_learner_in_every_fusion(name, fusion):
    check(helpers.learner(name, helpers.mixed(name, fusion=fusion)))


@pytest.mark.parametrize(("name", "how"), helpers.crossed(TRAINED, helpers.OTHER_NETWORKS))
def test_every_learner_at_any_level_and_with_any_filling(name, how):
    if helpers.refused(name, how):
        pytest.skip("refused")
    check(helpers.learner(name, helpers.mixed(name, **helpers.OTHER_NETWORKS[how])))


@pytest.mark.parametrize(("name", "encoder"), helpers.crossed(TRAINED, ENCODERS.names()))
def test_every_learner_with_every_encoder(name, encoder):
    check(helpers.learner(name, helpers.network(helpers.READS[encoder], encoders=(encoder,))))


@pytest.mark.parametrize("encoder", ["conv4", "resnet", "logmel", "conv1d", "framewise"])
@pytest.mark.parametrize("norm", ["layer", "instance", "batch", "none"])
def test_every_norm(norm, encoder):
    check(helpers.learner("maml", helpers.network(helpers.READS[encoder], encoders=(encoder,), norm=norm)))


@pytest.mark.parametrize("name", ["maml", "anil"])
@pytest.mark.parametrize(
    "options",
    [
        {"second_order": False},
        {"learned_inner_lr": "tensor"},
        {"learned_inner_lr": "tensor", "second_order": False},
        {"head": "linear", "ways": 3},
        {"head": "linear", "ways": 3, "second_order": False},
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
    check(helpers.learner(name, helpers.mixed(name), "regress", **options))


@pytest.mark.parametrize(("name", "decoder"), helpers.speaking(helpers.SPEAKING))
def test_every_decoder(name, decoder):
    check(helpers.speaker(name, decoder), shots=1, queries=1)


def test_gradients_add_up_over_calls():
    """Two backward calls sum, in every way: what accumulation over meta-batches rests on."""
    method = helpers.learner("protonet", helpers.network("photo", "facts"))
    modalities = {n: helpers.MODALITIES[n] for n in ("photo", "facts")}
    batches = [helpers.random_episode(modalities, seed=s) for s in (1, 2)]
    apart = [helpers.meta_gradient(method, b) for b in batches]
    for plan in ["loop", *plans_for(method)]:
        method.zero_grad()
        for b in batches:
            backward(method, b, Plan.parse(plan))
        together = {n: p.grad for n, p in method.named_parameters()}
        assert helpers.relative_error(together, {n: apart[0][n] + apart[1][n] for n in together}) < 1e-12


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("second_order", [True, False])
def test_layers_wide_enough_for_thin_updates_and_a_folded_block(steps, second_order):
    """Here updates of linear layers are kept as factors, and the first block of the picture is folded."""
    modalities = {"photo": helpers.MODALITIES["photo"], "facts": helpers.tabular(40)}
    widths = {"photo": {"width": 18}, "facts": {"width": 48}}
    net = build_network(modalities, "concat", 48, encoder_options=widths)
    method = helpers.learner("maml", net, inner_steps=steps, second_order=second_order)
    task = helpers.random_episode(modalities, tasks=1, shots=1).task(0)
    thin = [w for w in method.fit(method.params(), task.support).values() if isinstance(w, LowRank)]
    assert len(thin) >= 3
    check(method, shots=1)


def test_a_plan_is_said_as_it_is_written():
    for said in ("loop", "split", "vmap", "vmap:4", "split:16", "vmap+graph", "split:2+graph"):
        assert str(Plan.parse(said)) == said
    for wrong in ("vmap:", "vmap:0", "vmap:x", "loop:2", "vmpa", "", "+graph", "graph"):
        with pytest.raises(UsageError):
            Plan.parse(wrong)


def test_split_refuses_a_learner_whose_loss_is_its_own():
    method = helpers.learner("finetune", helpers.network("facts"))
    batch = helpers.random_episode({"facts": helpers.MODALITIES["facts"]})
    with pytest.raises(UsageError, match="finetune"):
        backward(method, batch, Plan("split"))


@pytest.mark.parametrize("encoder", ["conv4", "logmel", "framewise", "conv1d", "transformer", "gru", "mlp"])
@pytest.mark.parametrize("plan", ["loop", "split", "vmap"])
def test_half_precision_stays_near_and_leaves_the_parameters_alone(encoder, plan):
    """Products in bfloat16 have eight bits: the gradient is some per cent off, so it is never chosen unasked."""
    method = helpers.learner("protonet", helpers.network(helpers.READS[encoder], encoders=(encoder,))).float()
    modalities = {helpers.READS[encoder]: helpers.MODALITIES[helpers.READS[encoder]]}
    batch = helpers.random_episode(modalities, tasks=3, dtype=torch.float32)
    whole = helpers.meta_gradient(method, batch, plan)
    with torch.autocast("cpu", torch.bfloat16):
        half = helpers.meta_gradient(method, batch, plan)
    assert all(g.dtype == torch.float32 for g in half.values())
    assert 0 < helpers.relative_error(half, whole) < 0.15
