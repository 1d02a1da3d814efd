"""Gradient descent on a support set: the inner loop that several learners share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from omnishot.learners.base import Params


def gradient(loss: Callable[[Params], Tensor], at: Params, differentiable: bool) -> Params:
    """The gradient of `loss` at `at`; zero for what it does not depend on.

    `differentiable` keeps the graph, so that an outer gradient passes through (second order). Otherwise the
    gradient is a constant: nothing is kept, and it works under `torch.no_grad` too.
    """
    with torch.enable_grad():
        # Views, so that the gradient stops here and does not run back through what `at` was computed from;
        # under vmap new leaves cannot be made, which `requires_grad_` would.
        leaves = {n: p.view_as(p) if p.requires_grad else p.detach().requires_grad_() for n, p in at.items()}
        grads = torch.autograd.grad(loss(leaves), list(leaves.values()), create_graph=differentiable, allow_unused=True)
    return {n: torch.zeros_like(p) if g is None else g for (n, p), g in zip(at.items(), grads, strict=True)}


def descend(
    loss: Callable[[Params], Tensor],
    at: Params,
    steps: int,
    rate: Mapping[str, Tensor | float],
    second_order: bool,
) -> Params:
    """`steps` of plain gradient descent with a step size per parameter; the outer gradient reaches `at`."""
    differentiable = second_order and torch.is_grad_enabled()
    for _ in range(steps):
        grads = gradient(loss, at, differentiable)
        at = {name: p - rate[name] * grads[name] for name, p in at.items()}
    return at


def adam(loss: Callable[[Params], Tensor], at: Params, steps: int, rate: float) -> Params:
    """`steps` of Adam (Kingma & Ba 2015, Algorithm 1), not differentiated through."""
    first = {name: torch.zeros_like(p) for name, p in at.items()}
    second = {name: torch.zeros_like(p) for name, p in at.items()}
    for step in range(1, steps + 1):
        grads = gradient(loss, at, differentiable=False)
        first = {n: 0.9 * m + 0.1 * grads[n] for n, m in first.items()}
        second = {n: 0.999 * v + 0.001 * grads[n].square() for n, v in second.items()}
        size, unbias = rate / (1 - 0.9**step), 1 / (1 - 0.999**step)
        at = {n: p - size * first[n] / ((second[n] * unbias).sqrt() + 1e-8) for n, p in at.items()}
    return at
