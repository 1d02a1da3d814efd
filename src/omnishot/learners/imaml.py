"""Implicit MAML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.utils._pytree import tree_flatten, tree_unflatten

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Params, State
from omnishot.learners.inner.descent import descend, gradient, with_gradient
from omnishot.learners.inner.inner_loop import InnerLoop, whole
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class IMAML(InnerLoop):
    """MAML whose meta-gradient depends on where the inner loop ends, not on the way there, so no step is kept.

    The inner loop minimises L_support(φ) + λ/2 |φ − θ|². Where that is at its least, dφ/dθ = (I + H/λ)⁻¹ with H the
    Hessian of L_support; conjugate gradient solves (I + H/λ) u = ∇L_query(φ), and u is the gradient of what φ started
    from. That is θ, or a head at the class means, through which it goes on into the network. What the inner loop does
    not move counts in full: by the query loss, and by −u/λ times the derivative of ∇L_support by it.

    Args:
        inner_steps: gradient steps on the support rows.
        inner_lr: their step size.
        strength: λ, how strongly the inner loop is pulled back to where it started.
        cg_steps: conjugate gradient steps.
        adapt: what the steps move, joined by commas: `all`, `head`, `fusion`, `encoder`, `encoder.NAME` of an input or
            kind, `film` (scale and shift of every channel), `lora` (low-rank changes of all weights).
        head: `prototype` starts a linear head at the class means, for any number of classes; `linear` is the
            published form, a learned head of `ways` outputs. Numbers are always predicted by a learned head.
        ways: outputs of a linear head.
        lora_rank: of low-rank changes.

    Paper: Rajeswaran et al., Meta-Learning with Implicit Gradients, NeurIPS 2019
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 10,
        inner_lr: float = 0.1,
        strength: float = 0.5,
        cg_steps: int = 5,
        adapt: str = "all",
        head: str = "prototype",
        ways: int | None = None,
        lora_rank: int = 4,
    ):
        super().__init__(
            network, objective, inner_steps=inner_steps, inner_lr=inner_lr, adapt=adapt, second_order=False, head=head,
            ways=ways, lora_rank=lora_rank,
        )  # fmt: skip
        if strength <= 0:
            raise UsageError(f"strength must be above 0, not {strength}: without a pull no gradient reaches the start")
        self.strength, self.cg_steps = strength, cg_steps

    @property
    def factored(self) -> frozenset[str]:
        """None: the pull to the start acts on whole weights."""
        return frozenset()

    def path(self, params: Params, support: Rows) -> list[State]:
        start, known = self.begin(params, support)
        return [whole(step, known) for step in self._steps(start, known, support)]

    def loss(self, params: Params, episode: Episode) -> Tensor:
        support, query = episode.support, episode.query
        start, known = self.begin(params, support)
        constant = _detached(known)
        end = self._steps(_detached(start), constant, support)[-1]

        def judged(task: Params, params: Params, known: Params) -> Tensor:
            return self.objective.loss(self.predict(params, whole(task, known), query), query)

        fixed = _detached(params)
        pull: Any = gradient(lambda task: judged(task, fixed, constant), end, differentiable=False)
        times_hessian = hessian(
            lambda task, known, tensors: self.error(task, known, support.with_tensors(tensors)),
            end,
            constant,
            support.tensors(),
        )
        u = conjugate_gradient(
            lambda d: {n: d[n] + h / self.strength for n, h in times_hessian(d).items()}, pull, self.cg_steps
        )
        value = judged(end, params, known)
        reached = value + dot(u, start)
        if not params.keys() <= end.keys():
            slope: Any = gradient(lambda task: self.error(task, known, support), end, differentiable=True)
            reached = reached - dot(u, slope) / self.strength
        return with_gradient(value, reached)

    def _steps(self, start: Params, known: Params, support: Rows) -> list[Any]:
        def inner(task: Params) -> Tensor:
            apart = {name: task[name] - p for name, p in start.items()}
            return self.error(task, known, support) + self.strength / 2 * dot(apart, apart)

        rates = [self.step_sizes.at({}, step) for step in range(self.inner_steps)]
        return descend(inner, start, rates, second_order=False)


def dot(a: Params, b: Params) -> Tensor:
    """The inner product over all tensors."""
    return torch.stack([(a[name] * b[name]).sum() for name in a]).sum()


def hessian(loss: Callable[..., Tensor], at: Params, *given: Any) -> Callable[[Params], Params]:
    """What multiplies a direction by the Hessian of `loss(at, *given)`, which is never written out (Pearlmutter 1994).

    All tensors that `loss` uses must be in `at` and `given` (trees of tensors).
    """
    names = list(at)
    leaves, tree = tree_flatten(given)

    def slope(*tensors: Tensor) -> tuple[Tensor, ...]:
        here, used = dict(zip(names, tensors, strict=False)), tree_unflatten(list(tensors[len(names) :]), tree)
        gradients: Any = gradient(lambda task: loss(task, *used), here, differentiable=True)
        return tuple(gradients.values())

    def product(direction: Params) -> Params:
        result = _Product.apply(slope, len(names), *(direction[n] for n in names), *at.values(), *leaves)
        return dict(zip(names, result, strict=True))

    return product


class _Product(Function):
    """Hessian times direction, taken outside of `vmap`, in which torch cannot differentiate convolutions twice."""

    @staticmethod
    def forward(slope: Callable[..., tuple[Tensor, ...]], n: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        at = [t.detach().requires_grad_() for t in tensors[n : 2 * n]]
        with torch.enable_grad():
            slopes = [(g, d) for g, d in zip(slope(*at, *tensors[2 * n :]), tensors, strict=False) if g.requires_grad]
        if not slopes:
            return tuple(torch.zeros_like(t) for t in at)
        outputs, directions = zip(*slopes, strict=True)
        return torch.autograd.grad(outputs, at, directions, materialize_grads=True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise NotImplementedError("a Hessian's product is a constant here")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], slope: Any, n: int, *tensors: Tensor) -> tuple[Any, Any]:
        dims = list(in_dims[2:])
        own = [t.expand(info.batch_size, *t.shape) if d is None else t.movedim(d, 0)
               for t, d in zip(tensors[: 2 * n], dims, strict=False)]  # fmt: skip
        over_tasks = torch.vmap(slope, (*[0] * n, *dims[2 * n :]), randomness=info.randomness)
        product = _Product.apply(over_tasks, n, *own, *tensors[2 * n :])
        return product, (0,) * n


def conjugate_gradient(product: Callable[[Params], Params], b: Params, steps: int) -> Params:
    """x with A x ≈ b, A symmetric and given as a product (Hestenes & Stiefel 1952), after `steps` from x = 0.

    It stays where it is once a direction has no positive curvature, or nothing is left to solve.
    """
    x = {name: torch.zeros_like(p) for name, p in b.items()}
    residual, direction = b, b
    left = dot(b, b)
    going = left > 0
    for _ in range(steps):
        moved = product(direction)
        curvature = dot(direction, moved)
        going = going & (curvature > 0)
        size = torch.where(going, left / torch.where(going, curvature, 1), 0)
        x = {name: p + size * direction[name] for name, p in x.items()}
        residual = {name: p - size * moved[name] for name, p in residual.items()}
        now = dot(residual, residual)
        step = torch.where(going, now / torch.where(going, left, 1), 0)
        direction = {name: p + step * direction[name] for name, p in residual.items()}
        left = now
    return x


def _detached(tensors: Params) -> Params:
    return {name: p.detach() for name, p in tensors.items()}
