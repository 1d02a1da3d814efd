"""Multimodal MAML: its gradient against finite differences, MAML without modulation, and unlike families."""

from __future__ import annotations

import pytest
import torch
from support import helpers

from omnishot.episodes.rows import Episode
from omnishot.learners import LEARNERS
from omnishot.nn.network import build_network
from omnishot.objectives import OBJECTIVES

INPUTS = {"facts": helpers.tabular(3)}
FORMS = [
    ("classify", {}),
    ("classify", {"head": "linear", "ways": 3}),
    ("classify", {"adapt": "head"}),
    ("regress", {}),
]


def built(name: str, objective: str, **options):
    torch.manual_seed(0)
    net = build_network(INPUTS, encoder_options={"facts": {"width": 6}})
    ways = 3 if objective == "classify" else None
    batch = helpers.random_episode(INPUTS, tasks=2, ways=ways, shots=2, queries=3, here=1.0)
    return helpers.learner(name, net, objective, **options), batch


@pytest.mark.parametrize(("objective", "options"), FORMS)
def test_the_gradient_equals_finite_differences(objective, options):
    method, batch = built("mmaml", objective, context=3, **options)
    assert helpers.slope_error(method, batch) < 1e-7
    assert helpers.meta_gradient(method, batch)["modulation.weight"].abs().max() > 1e-6
    method.second_order = False  # another gradient: the check can fail
    assert helpers.slope_error(method, batch) > 1e-4


@pytest.mark.parametrize(("objective", "options"), FORMS)
def test_without_modulation_it_is_maml(objective, options):
    method, batch = built("mmaml", objective, **options)
    plain = built("maml", objective, **options)[0]
    plain.load_state_dict(method.state_dict(), strict=False)
    task = batch.task(0)
    expected = plain.answer(plain.adapt(task.support), task.query)
    assert not torch.allclose(method.answer(method.adapt(task.support), task.query), expected)
    with torch.no_grad():
        method.modulation.weight.zero_()
    assert torch.allclose(method.answer(method.adapt(task.support), task.query), expected, atol=1e-12)


def families(seed: int, tasks: int) -> Episode:
    """Sinusoids and lines by turns, as in the paper: slope and intercept of the lines between −3 and 3."""
    batch = helpers.sinusoids(seed, tasks)
    slope, intercept = 6 * torch.rand(2, tasks, 1, 1, generator=torch.Generator().manual_seed(seed)) - 3
    for half in (batch.support, batch.query):
        half.target[1::2] = (slope * half.inputs["facts"][..., 0] + intercept)[1::2]
    return batch


def test_the_modulation_tells_unlike_families_apart():
    """Of most tasks, the tasks that are modulated most alike are of the same family."""
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(1)}, encoder_options={"facts": {"width": 32}})
    options = {"inner_steps": 1, "inner_lr": 0.01}
    method = LEARNERS.load("mmaml")(net, OBJECTIVES.load("regress")(), **options)
    helpers.trained(method, lambda step: families(step, 16), 200)
    unseen, params = families(10**6, 100), method.params()
    changed = [method.modulated(params, unseen.support.task(t)) for t in range(100)]
    vectors = torch.stack([torch.cat([c[n] for n in method.modulation.names]) for c in changed]).detach()
    nearest = torch.cdist(vectors, vectors).fill_diagonal_(torch.inf).topk(5, largest=False).indices
    same = (nearest % 2 == torch.arange(100)[:, None] % 2).float().mean().item()
    assert same > 0.65
