"""The learned optimiser: against its loops written out and finite differences, and where it starts."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from support import helpers
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.learners.learned_optimizer import preprocessed
from omnishot.nn.network import build_network

INPUTS = {"facts": helpers.tabular(3)}
HIDDEN, STEPS = 4, 3


def built(objective: str = "classify", **options):
    torch.manual_seed(0)
    net = build_network(INPUTS, encoder_options={"facts": {"width": 5}})
    ways = 3 if objective == "classify" else None
    options = {"head": "linear", "ways": 3, "hidden": HIDDEN, "inner_steps": STEPS} | options
    batch = helpers.random_episode(INPUTS, tasks=2, ways=ways, shots=2, queries=3, here=1.0)
    # The optimiser reads numbers in two ways, apart at e⁻¹⁰: from this seed no difference is taken across that.
    return helpers.learner("learned-optimizer", net, objective, seed=1, **options), batch


def plain(x: float) -> list[float]:
    if abs(x) >= math.exp(-10):
        return [math.log(abs(x)) / 10, math.copysign(1, x)]
    return [-1.0, math.exp(10) * x]


@pytest.mark.parametrize("x", [0.0, 1e-9, -1e-9, 3e-5, -0.2, 7.0, math.exp(-10)])
def test_size_and_sign_are_read_apart(x):
    assert preprocessed(torch.tensor(x, dtype=torch.float64)).tolist() == pytest.approx(plain(x), rel=1e-12)


@pytest.mark.parametrize("plan", ["loop", "split", "vmap"])
@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize("form", ["lstm", "mlp"])
@pytest.mark.parametrize("objective", ["classify", "regress"])
def test_the_gradient_is_that_of_the_loops_written_out(objective, form, checkpoint, plan):
    """torch's own LSTM cell on every tensor by itself; gradients are constants."""
    method, batch = built(objective, form=form, inner_checkpoint=checkpoint)
    own = {n: p.detach().clone().requires_grad_() for n, p in method.named_parameters()}
    names = [n for n in own if not n.startswith("optimizer.")]
    loss = F.cross_entropy if objective == "classify" else F.mse_loss

    def answer(p: dict[str, Tensor], x: Tensor) -> Tensor:
        for layer in ("network.encoders.0.layers.0", "network.encoders.0.layers.1"):
            x = torch.relu(F.linear(x, p[f"{layer}.weight"], p[f"{layer}.bias"]))
        return F.linear(x, p["head.weight"], p["head.bias"])

    total = []
    for t in range(2):
        support, query = batch.support.task(t), batch.query.task(t)
        task = {n: own[n] for n in names}
        memory = {n: [torch.zeros(p.numel(), HIDDEN).double()] * 2 + [torch.zeros(p.numel(), 1).double()] * 2
                  for n, p in task.items()}  # fmt: skip
        for _ in range(STEPS):
            here = {n: p.detach().requires_grad_() for n, p in task.items()}
            value = loss(answer(here, support.inputs["facts"].flatten(1)), support.target)
            result = dict(zip(here, torch.autograd.grad(value, list(here.values())), strict=True))
            for n, g in result.items():
                h, c, forget, take = memory[n]
                read = torch.tensor([plain(x) + plain(value.item()) for x in g.flatten().tolist()], dtype=torch.float64)
                if form == "lstm":
                    weight, bias = own["optimizer.gates.weight"], own["optimizer.gates.bias"]
                    i, f, o, new = F.linear(read, weight[:, :4], bias).add(h @ weight[:, 4:].T).chunk(4, -1)
                    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(new)
                    h = torch.sigmoid(o) * torch.tanh(c)
                else:
                    for layer in ("optimizer.mlp.0", "optimizer.mlp.2"):
                        read = F.gelu(F.linear(read, own[f"{layer}.weight"], own[f"{layer}.bias"]))
                    h = read
                w = task[n].reshape(-1, 1)
                gates = []
                for gate, last in (("forget", forget), ("input", take)):
                    x = torch.cat([h, w, last], 1)
                    gates.append(
                        torch.sigmoid(F.linear(x, own[f"optimizer.{gate}.weight"], own[f"optimizer.{gate}.bias"]))
                    )
                task[n] = (gates[0] * w - gates[1] * g.reshape(-1, 1)).view_as(g)
                memory[n] = [h, c, *gates]
        total.append(loss(answer(task, query.inputs["facts"].flatten(1)), query.target))
    result = torch.autograd.grad(torch.stack(total).mean(), list(own.values()))
    expected = dict(zip(own, result, strict=True))
    assert helpers.relative_error(helpers.meta_gradient(method, batch, plan), expected) < 1e-8


@pytest.mark.parametrize("form", ["lstm", "mlp"])
@pytest.mark.parametrize("options", [{}, {"head": "prototype"}])
def test_with_the_second_order_it_equals_finite_differences(form, options):
    method, batch = built(form=form, second_order=True, **options)
    assert helpers.slope_error(method, batch) < 1e-7
    method.second_order = False  # another gradient: the check can fail
    assert helpers.slope_error(method, batch) > 1e-4


def test_it_starts_as_gradient_descent():
    """Before it has learned anything, but for what the forget gate takes."""
    method, batch = built(inner_lr=0.2, inner_steps=1)
    task = batch.support.task(0)
    nn.init.zeros_(method.optimizer.forget.weight)
    nn.init.zeros_(method.optimizer.input.weight)
    nn.init.constant_(method.optimizer.forget.bias, 40.0)
    nn.init.constant_(method.optimizer.input.bias, math.log(0.2 / 0.8))
    maml = helpers.learner("maml", method.network, inner_lr=0.2, inner_steps=1, head="linear", ways=3)
    maml.load_state_dict({n: p for n, p in method.state_dict().items() if not n.startswith("optimizer.")})
    ours, theirs = method.adapt(task), maml.adapt(task)
    assert all(torch.allclose(ours[n], theirs[n], atol=1e-12) for n in theirs)


def test_a_rate_that_no_gate_has_and_an_unknown_form_are_refused():
    with pytest.raises(UsageError, match=r"between 0 and 1, not 1\.5"):
        built(inner_lr=1.5)
    with pytest.raises(UsageError, match="unknown form 'lstn': did you mean 'lstm'"):
        built(form="lstn")
