"""Reptile: its gradient against Adam written out by torch, its mini-batches, and that it learns."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support import helpers

from omnishot.episodes.rows import concatenate
from omnishot.errors import UsageError
from omnishot.learners import LEARNERS
from omnishot.learners.reptile import batches
from omnishot.nn.network import build_network
from omnishot.objectives import OBJECTIVES

INPUTS = {"facts": helpers.tabular(3)}


def built(objective: str, **options):
    torch.manual_seed(0)
    net = build_network(INPUTS, encoder_options={"facts": {"width": 8}})
    return helpers.learner("reptile", net, objective, inner_lr=0.02, **options)


@pytest.mark.parametrize("plan", ["loop", "vmap", "vmap:1"])
@pytest.mark.parametrize("size", [0, 4])
@pytest.mark.parametrize("objective", ["classify", "regress"])
def test_the_gradient_is_where_torchs_adam_goes(objective, size, plan):
    """θ − φ, with φ after torch's own Adam (β₁ = 0) on a stateful network of plain layers."""
    ways = 3 if objective == "classify" else None
    method = built(objective, inner_steps=4, inner_batch=size, head="linear", ways=3)
    batch = helpers.random_episode(INPUTS, tasks=2, ways=ways, here=1.0)
    expected = {n: torch.zeros_like(p) for n, p in method.named_parameters()}
    for t in range(2):
        rows = concatenate(batch.support.task(t), batch.query.task(t))
        own = {n: p.detach().clone().requires_grad_() for n, p in method.named_parameters()}
        optimiser = torch.optim.Adam(own.values(), lr=0.02, betas=(0.0, 0.999))
        for chosen in batches(len(rows), size or len(rows), 4):
            weights = list(own.values())
            h = rows.inputs["facts"][chosen].flatten(1)
            for i in (0, 2):
                h = torch.relu(F.linear(h, own[f"network.encoders.0.layers.{i // 2}.weight"], weights[i + 1]))
            answer = F.linear(h, own["head.weight"], own["head.bias"])
            loss = F.cross_entropy if objective == "classify" else F.mse_loss
            optimiser.zero_grad()
            loss(answer, rows.target[chosen]).backward()
            optimiser.step()
        for n, p in method.named_parameters():
            expected[n] += (p - own[n]).detach() / 2
    assert helpers.relative_error(helpers.meta_gradient(method, batch, plan), expected) < 1e-8


def test_every_row_is_drawn_as_often_as_the_others():
    drawn = batches(12, 5, 24)
    assert [len(b) for b in drawn] == [5] * 24
    flat = [i for b in drawn for i in b]
    assert sorted(flat) == sorted([*range(12)] * 10)
    assert flat[:12] != flat[12:24]
    assert batches(12, 5, 24) == drawn


def test_prototypes_are_no_part_of_what_is_learned():
    method = built("classify")
    assert not any(n.startswith("head.") for n in method.params())
    task = helpers.random_episode(INPUTS, tasks=1).task(0)
    assert {"head.weight", "head.bias"} < method.adapt(task.support).keys()


def test_a_negative_mini_batch_is_refused():
    with pytest.raises(UsageError, match="inner_batch is a number of rows, 0 for all, not -1"):
        built("classify", inner_batch=-1)


def test_it_learns_features_for_new_classes():
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(8)}, encoder_options={"facts": {"width": 32}})
    method = LEARNERS.load("reptile")(net, OBJECTIVES.load("classify")(), fit_steps=20)
    unseen = helpers.blobs(10**6, 20)
    before = helpers.judged(method, unseen)
    helpers.trained(method, lambda step: helpers.blobs(step, 8), 80)
    assert helpers.judged(method, unseen) > before + 0.15
