"""Implicit MAML: against the exact implicit gradient of a quadratic, and a dense solve of what CG solves."""

from __future__ import annotations

import pytest
import torch
from support import helpers
from torch.autograd.functional import hessian as dense_hessian

from omnishot.errors import UsageError
from omnishot.learners.imaml import conjugate_gradient
from omnishot.nn.network import build_network

INPUTS = {"facts": helpers.tabular(3)}


def built(objective: str, width: int = 5, **options):
    torch.manual_seed(0)
    net = build_network(INPUTS, encoder_options={"facts": {"width": width}})
    ways = 3 if objective == "classify" else None
    batch = helpers.random_episode(INPUTS, tasks=2, ways=ways, shots=2, queries=3, here=1.0)
    return helpers.learner("imaml", net, objective, **options), batch


@pytest.mark.parametrize("plan", ["loop", "vmap"])
def test_the_gradient_on_a_quadratic_is_the_exact_one(plan):
    """A linear head on given features and squared error: the inner optimum is a linear solve, differentiated whole.

    So are the features' own parameters, which the inner loop does not move.
    """
    strength = 0.7
    options = {"inner_steps": 300, "inner_lr": 0.2, "cg_steps": 6, "strength": strength}
    method, batch = built("regress", adapt="head", **options)
    own = {n: p.detach().clone().requires_grad_() for n, p in method.named_parameters()}
    total = []
    for t in range(2):
        halves = []
        for rows in (batch.support.task(t), batch.query.task(t)):
            f = method.features(own, rows)
            halves.append(torch.cat([f, torch.ones_like(f[:, :1])], 1))
        x, asked = halves
        theta = torch.cat([own["head.weight"].flatten(), own["head.bias"]])
        y = batch.support.task(t).target[:, 0]
        left = 2 * x.T @ x / len(x) + strength * torch.eye(len(theta), dtype=x.dtype)
        phi = torch.linalg.solve(left, 2 * x.T @ y / len(x) + strength * theta)
        total.append((asked @ phi - batch.query.task(t).target[:, 0]).square().mean())
    expected = dict(zip(own, torch.autograd.grad(torch.stack(total).mean(), list(own.values())), strict=True))
    assert helpers.relative_error(helpers.meta_gradient(method, batch, plan), expected) < 1e-8


@pytest.mark.parametrize("plan", ["loop", "vmap"])
@pytest.mark.parametrize("objective", ["classify", "regress"])
def test_conjugate_gradient_solves_what_a_dense_solver_does(objective, plan):
    """Wherever the inner loop ended: u = (I + H/λ)⁻¹ ∇L_query with H written out, for a perceptron with its head."""
    method, batch = built(objective, width=3, head="linear", ways=3, strength=3.0, inner_steps=3, cg_steps=200)
    expected = {n: torch.zeros_like(p) for n, p in method.named_parameters()}
    for t in range(2):
        task, state = batch.task(t), method.adapt(batch.support.task(t))
        shapes = {n: p.shape for n, p in method.named_parameters()}
        flat = torch.cat([state[n].flatten() for n in shapes])

        def loss(flat, rows, shapes=shapes):
            parts = flat.split([s.numel() for s in shapes.values()])
            tree = {n: p.view(s) for (n, s), p in zip(shapes.items(), parts, strict=True)}
            return method.objective.loss(method.predict(tree, tree, rows), rows)

        h = dense_hessian(lambda w, task=task: loss(w, task.support), flat)
        at = flat.clone().requires_grad_()
        (g,) = torch.autograd.grad(loss(at, task.query), at)
        u = torch.linalg.solve(torch.eye(len(flat), dtype=h.dtype) + h / 3.0, g)
        for (n, s), part in zip(shapes.items(), u.split([s.numel() for s in shapes.values()]), strict=True):
            expected[n] += part.view(s) / 2
    assert helpers.relative_error(helpers.meta_gradient(method, batch, plan), expected) < 1e-8


def test_the_inner_loop_is_pulled_back_to_its_start():
    moved = []
    for strength in (0.1, 1.0, 5.0):
        method, batch = built("regress", strength=strength, inner_steps=50, inner_lr=0.05)
        state, own = method.adapt(batch.support.task(0)), method.params()
        moved.append(sum((state[n] - p).square().sum().item() for n, p in own.items()))
    assert moved[0] > 1.5 * moved[1] > 2 * moved[2] > 0


def test_conjugate_gradient_stops_where_it_cannot_go_on():
    b = {"x": torch.tensor([1.0, 2.0, 0.0])}
    for scale, expected in ((0.0, 0.0), (-1.0, 0.0), (2.0, 0.5)):
        result = conjugate_gradient(lambda d, scale=scale: {"x": scale * d["x"]}, b, 10)["x"]
        assert torch.allclose(result, expected * b["x"])
    assert conjugate_gradient(lambda d: d, {"x": torch.zeros(3)}, 3)["x"].tolist() == [0, 0, 0]


def test_no_pull_is_refused():
    with pytest.raises(UsageError, match="strength must be above 0, not 0"):
        built("regress", strength=0.0)
