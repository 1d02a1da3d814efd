"""CAVIA: its gradient against a loop written out and finite differences, and that only the context moves."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support import helpers
from torch import Tensor

from omnishot.errors import UsageError
from omnishot.learners import LEARNERS
from omnishot.nn.network import build_network
from omnishot.objectives import OBJECTIVES

INPUTS = {"facts": helpers.tabular(3)}
RATE, STEPS, WIDTH = 0.3, 3, 8
FORMS = [("classify", "prototype"), ("classify", "linear"), ("regress", "linear")]
LAYER = "network.encoders.0.layers."


def built(objective: str = "classify", **options):
    torch.manual_seed(0)
    net = build_network(INPUTS, encoder_options={"facts": {"width": WIDTH}})
    options = {"inner_lr": RATE, "inner_steps": STEPS, "context": 5, "ways": 3} | options
    method = helpers.learner("cavia", net, objective, **options)
    ways = 3 if objective == "classify" else None
    return method, helpers.random_episode(INPUTS, tasks=2, ways=ways, shots=2, queries=3, here=1.0)


def answer(own: dict[str, Tensor], z: Tensor, support, rows, prototypes: bool) -> Tensor:
    """What the network says of rows under a context: a perceptron whose two biases the context moves."""
    delta = own["modulation.weight"] @ z

    def features(x: Tensor) -> Tensor:
        h = torch.relu(F.linear(x.flatten(1), own[LAYER + "0.weight"], own[LAYER + "0.bias"] + delta[:WIDTH]))
        return torch.relu(F.linear(h, own[LAYER + "1.weight"], own[LAYER + "1.bias"] + delta[WIDTH:]))

    if not prototypes:
        return F.linear(features(rows.inputs["facts"]), own["head.weight"], own["head.bias"])
    known = features(support.inputs["facts"])
    means = torch.stack([known[support.target == k].mean(0) for k in range(3)])
    asked = features(rows.inputs["facts"])
    return -(asked[:, None] - means).square().sum(-1) / WIDTH**0.5


@pytest.mark.parametrize("plan", ["loop", "split", "vmap"])
@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize("second_order", [True, False])
@pytest.mark.parametrize(("objective", "head"), FORMS)
def test_the_gradient_is_that_of_the_loop_written_out(objective, head, second_order, checkpoint, plan):
    method, batch = built(objective, head=head, second_order=second_order, inner_checkpoint=checkpoint)
    own = {n: p.detach().clone().requires_grad_() for n, p in method.named_parameters()}
    loss = F.cross_entropy if objective == "classify" else F.mse_loss
    total = []
    for t in range(2):
        support, query = batch.support.task(t), batch.query.task(t)
        z = torch.zeros(5, dtype=torch.float64, requires_grad=True)
        for _ in range(STEPS):
            value = loss(answer(own, z, support, support, head == "prototype"), support.target)
            (g,) = torch.autograd.grad(value, z, create_graph=True)
            z = z - RATE * (g if second_order else g.detach())
        total.append(loss(answer(own, z, support, query, head == "prototype"), query.target))
    expected = dict(zip(own, torch.autograd.grad(torch.stack(total).mean(), list(own.values())), strict=True))
    assert helpers.relative_error(helpers.meta_gradient(method, batch, plan), expected) < 1e-8


@pytest.mark.parametrize(("objective", "head"), FORMS)
def test_the_gradient_equals_finite_differences(objective, head):
    method, batch = built(objective, head=head)
    measured = helpers.finite_differences(method, batch)
    assert helpers.relative_error(helpers.meta_gradient(method, batch), measured) < 1e-7
    method.second_order = False  # another gradient: the check can fail
    assert helpers.relative_error(helpers.meta_gradient(method, batch), measured) > 1e-4


def test_only_the_context_moves_and_a_fresh_map_lets_it():
    net = build_network(INPUTS, encoder_options={"facts": {"width": WIDTH}})
    method = LEARNERS.load("cavia")(net, OBJECTIVES.load("regress")())
    task = helpers.random_episode(INPUTS, ways=None, dtype=torch.float32).task(0)
    state = method.adapt(task.support)
    assert state.keys() == {"context", "weight", "bias"}
    assert state["context"].abs().max() > 1e-4
    gradient = helpers.meta_gradient(method, helpers.random_episode(INPUTS, ways=None, dtype=torch.float32))
    assert gradient["modulation.weight"].abs().max() > 1e-5


def test_no_context_is_refused():
    with pytest.raises(UsageError, match="context = 0"):
        built(context=0)


def test_it_learns_sinusoids():
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(1)}, encoder_options={"facts": {"width": 40}})
    method = LEARNERS.load("cavia")(net, OBJECTIVES.load("regress")())
    unseen = helpers.sinusoids(10**6, 40)
    before = helpers.judged(method, unseen)
    helpers.trained(method, lambda step: helpers.sinusoids(step, 16), 150, rate=5e-3)
    after = helpers.judged(method, unseen)
    method = method.with_steps(0)
    assert after < 0.75 * before
    assert after < 0.85 * helpers.judged(method, unseen)  # it is the context that does it
