"""Gradient descent on a support set: the inner loop that several learners share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import vjp

from omnishot.learners.base import Params
from omnishot.learners.inner.checkpoint import recomputed
from omnishot.nn.layers import transformed
from omnishot.nn.linear import Factors, LowRank, Watched, Weight, dense, moved, pays

#: What an inner loop moves, by name.
Task = dict[str, Weight]


def gradient(
    loss: Callable[[Any], Tensor], at: Mapping[str, Weight], differentiable: bool, factored: Collection[str] = ()
) -> dict[str, Tensor | Factors]:
    """The gradient of `loss` at `at`; zero for what it does not depend on.

    `differentiable` keeps the graph, so that an outer gradient passes through (second order). Otherwise the
    gradient is a constant: nothing is kept, and it works under `torch.no_grad` too.

    The weights named in `factored`, which `loss` may use in linear layers only, get theirs as factors.
    """

    def grads(leaves: dict[str, Any]) -> dict[str, Tensor | Factors]:
        given = {n: Watched(w) if n in factored else w for n, w in leaves.items()}
        value = loss(given)
        watched = {n: w.uses for n, w in given.items() if isinstance(w, Watched)}
        plain = {n: w for n, w in leaves.items() if n not in watched}
        outputs = [y for uses in watched.values() for _, y in uses]
        by = [*plain.values(), *outputs]
        gradients = torch.autograd.grad(value, by, create_graph=differentiable, allow_unused=True)
        result: dict[str, Tensor | Factors] = {
            n: torch.zeros_like(w) if g is None else g for (n, w), g in zip(plain.items(), gradients, strict=False)
        }
        rest = iter(gradients[len(plain) :])
        for n, uses in watched.items():
            read = [(x if differentiable else x.detach(), next(rest)) for x, _ in uses]
            result[n] = _factors(leaves[n], read)
        return {n: result[n] for n in leaves}

    with torch.enable_grad():
        if transformed():
            # New leaves cannot be made under vmap; one more level of differentiation makes them.
            return vjp(grads, {n: w if differentiable else _detached(w) for n, w in at.items()})[0]
        # Views, so that the gradient stops here and does not run back through what `at` was computed from.
        return grads({n: _leaf(w) for n, w in at.items()})


def descend(
    loss: Callable[..., Tensor],
    at: Mapping[str, Weight],
    rates: Sequence[Mapping[str, Tensor | float]],
    second_order: bool,
    factored: Collection[str] = (),
    given: Sequence[Any] = (),
    checkpoint: bool = False,
) -> list[Task]:
    """Plain gradient descent on `loss(at, *given)`: where it stands at the start and after every step.

    `rates` holds the step sizes of every step, by parameter. The outer gradient reaches `at`, `rates` and `given`.
    With `checkpoint` every step is computed again in the backward pass and only the weights it began with are kept;
    `loss` may then close over no tensor, all it uses is in `given` (trees of tensors). First-order steps keep nothing,
    checkpoint or not.

    Weights named in `factored` come back as `LowRank` where that is less work than writing them out.
    """

    def step(at: Mapping[str, Weight], rate: Mapping[str, Tensor | float], given: Sequence[Any]) -> Task:
        differentiable = second_order and torch.is_grad_enabled()
        grads = gradient(lambda task: loss(task, *given), at, differentiable, factored)
        return {name: _step(w, rate[name], grads[name]) for name, w in at.items()}

    again = checkpoint and second_order and torch.is_grad_enabled()
    path = [dict(at)]
    for rate in rates:
        path.append(recomputed(step, path[-1], rate, given) if again else step(path[-1], rate, given))
    return path


def adam(
    loss: Callable[..., Tensor],
    at: Params,
    steps: int,
    rate: float,
    momentum: float = 0.9,
    given: Callable[[int], Sequence[Any]] = lambda step: (),
) -> Params:
    """`steps` of Adam (Kingma & Ba 2015, Algorithm 1) on `loss(*given(step), at)`, not differentiated through.

    Steps are counted from 1; `momentum` is the paper's β₁.
    """
    first = {name: torch.zeros_like(p) for name, p in at.items()}
    second = {name: torch.zeros_like(p) for name, p in at.items()}
    for step in range(1, steps + 1):
        grads: Any = gradient(partial(loss, *given(step)), at, differentiable=False)
        first = {n: momentum * m + (1 - momentum) * grads[n] for n, m in first.items()}
        second = {n: 0.999 * v + 0.001 * grads[n].square() for n, v in second.items()}
        size, unbias = rate / (1 - momentum**step), 1 / (1 - 0.999**step)
        at = {n: p - size * first[n] / ((second[n] * unbias).sqrt() + 1e-8) for n, p in at.items()}
    return at


def with_gradient(value: Tensor, of: Tensor) -> Tensor:
    """The number `value` with the gradient of `of`: what a method whose meta-gradient is its own gives as its loss."""
    return value.detach() + (of - of.detach())


def _step(weight: Weight, rate: Tensor | float, grad: Tensor | Factors) -> Weight:
    if not isinstance(grad, Factors):
        assert not isinstance(weight, LowRank)
        return weight - rate * grad
    so_far = weight.rank if isinstance(weight, LowRank) else 0
    if pays(so_far + grad.left.shape[-2], weight):
        return moved(weight, Factors(-rate * grad.left, grad.right))
    return dense(weight) - rate * (grad.left.mT @ grad.right)


def _factors(weight: Weight, uses: Sequence[tuple[Tensor, Tensor | None]]) -> Factors:
    """Gᵀ X over all uses of a weight as two thin matrices."""
    used = [(g.flatten(0, -2), x.flatten(0, -2)) for x, g in uses if g is not None]
    if not used:
        base = weight.base if isinstance(weight, LowRank) else weight
        return Factors(base.new_zeros(0, base.shape[-2]), base.new_zeros(0, base.shape[-1]))
    left, right = (torch.cat(parts) for parts in zip(*used, strict=True))
    return Factors(left, right)


def _leaf(weight: Weight) -> Any:
    """The weight as something to differentiate by."""
    if isinstance(weight, LowRank):
        return LowRank(*map(_leaf, weight))
    return weight.view_as(weight) if weight.requires_grad else weight.detach().requires_grad_()


def _detached(weight: Weight) -> Any:
    return LowRank(*(w.detach() for w in weight)) if isinstance(weight, LowRank) else weight.detach()
