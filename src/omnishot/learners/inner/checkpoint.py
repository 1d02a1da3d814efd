"""A function whose inner values are not kept for the backward pass, but computed again in it.

`torch.utils.checkpoint` rests on saved-tensor hooks, which `torch.vmap` forbids, and where the function itself takes
gradients it runs it once more than needed. Here the first run keeps no graph at all, and `torch.vmap` over the function
is the same function vmapped. Paper: Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.utils._pytree import tree_flatten, tree_unflatten

#: Tensors in, tensors out.
Flat = Callable[..., tuple[Tensor, ...]]


def recomputed(function: Callable[..., Any], *trees: Any) -> Any:
    """`function(*trees)`, its graph made anew in the backward pass and freed at once.

    All tensors that `function` uses must be in `trees`: a gradient does not reach others that it closes over, and under
    `torch.vmap` they may be gone by then. It must give the same each time. Derivatives of the first order only.
    """
    leaves, tree = tree_flatten(trees)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    device = next((leaves[i].device.type for i in places), "cpu")
    # The backward pass may run in another thread or precision. Casts made without a graph must not be cached.
    low, products = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    shape: Any = None
    sources: list[int | None] = []  # per output: which of the tensors given it is, if it is one

    def flat(*tensors: Tensor) -> tuple[Tensor, ...]:
        nonlocal shape, sources
        given = list(leaves)
        for i, tensor in zip(places, tensors, strict=True):
            given[i] = tensor
        with torch.autocast(device, products, enabled=low, cache_enabled=False):
            outputs, shape = tree_flatten(function(*tree_unflatten(given, tree)))
        index = {id(tensor): i for i, tensor in enumerate(tensors)}
        sources = [index.get(id(output)) for output in outputs]
        return tuple(output for output, source in zip(outputs, sources, strict=True) if source is None)

    tensors = [leaves[i] for i in places]
    # What is handed on as it came goes round the function: under vmap it then stays common to all tasks.
    new = iter(_Recomputed.apply(flat, *tensors))
    return tree_unflatten([next(new) if source is None else tensors[source] for source in sources], shape)


class _Recomputed(Function):
    @staticmethod
    def forward(function: Flat, *tensors: Tensor) -> tuple[Tensor, ...]:
        return function(*tensors)  # autograd is off here

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.function, *tensors = inputs
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        needed = ctx.needs_input_grad[1:]
        with torch.enable_grad():
            tensors = [t.detach().requires_grad_(n) for t, n in zip(ctx.saved_tensors, needed, strict=True)]
            outputs = ctx.function(*tensors)
        reached = [(y, g) for y, g in zip(outputs, gradients, strict=True) if g is not None and y.requires_grad]
        by = [t for t in tensors if t.requires_grad]
        rest = iter(_gradients(reached, by))
        return None, *(next(rest) if n else None for n in needed)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], function: Flat, *tensors: Tensor) -> tuple[tuple[Tensor, ...], Any]:
        over_tasks: Any = torch.vmap(function, in_dims[1:], randomness=info.randomness)
        outputs = _Recomputed.apply(over_tasks, *tensors)
        return outputs, (0,) * len(outputs)


def _gradients(reached: Sequence[tuple[Tensor, Tensor]], by: Sequence[Tensor]) -> Sequence[Tensor | None]:
    if not reached:
        return [None] * len(by)
    outputs, gradients = zip(*reached, strict=True)
    return torch.autograd.grad(outputs, by, gradients, allow_unused=True)
