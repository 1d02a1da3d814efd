"""Inner steps computed again in the backward pass: the same meta-gradient, and activations that are not kept."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from support import helpers
from support.covering import pairwise
from torch import Tensor

from omnishot.learners.base import Learner
from omnishot.nn.linear import LowRank
from omnishot.nn.network import Network, build_network

PLANS = ["loop", "split", "vmap", "vmap:2"]


def pair(name: str, net: Network, objective: str = "classify", **options) -> tuple[Learner, Learner]:
    """The learner with and without, with the same weights."""
    kept, again = (
        helpers.learner(name, net, objective, **options, inner_checkpoint=checkpoint) for checkpoint in (False, True)
    )
    again.load_state_dict(kept.state_dict())
    return kept, again


def check(kept: Learner, again: Learner, plan: str, shots: int = 2) -> None:
    modalities = kept.network.modalities
    ways = 3 if kept.objective.name == "classify" else None
    batch = helpers.random_episode(modalities, tasks=3, ways=ways, shots=shots)
    expected = helpers.meta_gradient(kept, batch, plan)
    assert helpers.relative_error(helpers.meta_gradient(again, batch, plan), expected) < 1e-10
    kept.second_order = False  # first order is another gradient: the check can fail
    assert helpers.relative_error(helpers.meta_gradient(kept, batch, plan), expected) > 1e-6


FORMS = [
    ("classify", {"head": "prototype"}),
    ("classify", {"head": "linear", "ways": 3}),
    ("regress", {}),
]


@pytest.mark.parametrize(
    ("name", "form", "steps", "rates", "plan"), pairwise(["maml", "anil"], FORMS, [1, 3], ["none", "tensor"], PLANS)
)
def test_the_meta_gradient_is_the_same(name, form, steps, rates, plan):
    objective, options = form
    net = helpers.network("words", "facts")
    check(*pair(name, net, objective, inner_steps=steps, learned_inner_lr=rates, **options), plan)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("norm", ["group", "batch"])
def test_in_every_kind_of_input(norm, plan):
    check(*pair("maml", helpers.network(*helpers.MODALITIES, fusion="attention", norm=norm), inner_steps=3), plan)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("rates", ["none", "tensor"])
def test_thin_updates_of_wide_linear_layers(rates, plan):
    """Updates are kept as factors here, the first steps' at least: weights that grow from step to step."""
    modalities = {"facts": helpers.tabular(40)}
    net = build_network(modalities, encoder_options={"facts": {"width": 48}})
    kept, again = pair("maml", net, inner_steps=3, learned_inner_lr=rates)
    task = helpers.random_episode(modalities, tasks=1, shots=1).task(0)
    thin = [w for w in again.fit(again.params(), task.support).values() if isinstance(w, LowRank)]
    assert len(thin) >= 2
    check(kept, again, plan, shots=1)


class Kept:
    """A tensor that autograd holds."""

    def __init__(self, x: Tensor):
        self.storage = x.untyped_storage()
        self.x = x


def kept_bytes(method: Learner) -> int:
    """What autograd still holds for the backward pass once a task's loss is known; every storage counts once."""
    task = helpers.random_episode(method.network.modalities, tasks=1, shots=4, here=1.0).task(0)
    held: weakref.WeakSet[Kept] = weakref.WeakSet()

    def keep(x: Tensor) -> Kept:
        held.add(kept := Kept(x))
        return kept

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept.x):
        loss = method.loss(method.params(), task)
    gc.collect()
    assert loss.requires_grad  # and so keeps its graph
    return sum({kept.storage.data_ptr(): kept.storage.nbytes() for kept in held}.values())


@pytest.mark.parametrize("name", ["maml", "anil"])
def test_activations_are_not_kept(name):
    """What is held grows from step to step by the weights that a step begins with, and by nothing else."""
    net, grown = helpers.network("photo"), []
    for checkpoint in (False, True):
        methods = [helpers.learner(name, net, inner_steps=n, inner_checkpoint=checkpoint) for n in (2, 5, 8)]
        few, some, many = map(kept_bytes, methods)
        assert many - some == some - few
        grown.append((many - few) / 6)
    task = helpers.random_episode(net.modalities, tasks=1, shots=4).task(0)
    assert grown[1] <= sum(w.nbytes for w in methods[0].adapt(task.support).values())
    assert grown[0] > 5 * grown[1]


def test_the_adapted_state_is_the_same_and_first_order_has_nothing_to_compute_again():
    kept, again = pair("maml", helpers.network("photo", "facts"), inner_steps=3)
    batch = helpers.random_episode(kept.network.modalities)
    ours, theirs = again.adapt(batch.task(0).support), kept.adapt(batch.task(0).support)
    assert all(torch.equal(ours[n], theirs[n]) for n in theirs)
    kept.second_order = again.second_order = False
    ours, theirs = helpers.meta_gradient(again, batch), helpers.meta_gradient(kept, batch)
    assert all(torch.equal(ours[n], theirs[n]) for n in theirs)
