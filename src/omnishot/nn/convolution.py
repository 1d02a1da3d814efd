"""Convolutions with derivatives of any order that are convolutions too; under vmap, weights may differ by task.

torch computes weights that differ by task as one grouped convolution, which a CPU runs many times slower than the same
convolutions one after the other; its second derivative goes through transposed copies. A convolution is linear in its
input and in its weight, so three maps, which are each other's derivatives, suffice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


def _backward(
    g: Tensor, x: Tensor, weight: Tensor, stride: tuple[int, ...], padding: int, outputs: list[bool]
) -> tuple:
    n = weight.dim() - 2
    return torch.ops.aten.convolution_backward(
        g, x, weight, [weight.shape[0]], list(stride), [padding] * n, [1] * n, False, [0] * n, 1, outputs
    )


def _by_task(function: Any, tasks: int, in_dims: tuple, args: tuple) -> Tensor:
    """Call `function` for one task after the other."""
    each = [[a] * tasks if d is None else a.unbind(d) for a, d in zip(args, in_dims, strict=True)]
    return torch.stack([function.apply(*of_task) for of_task in zip(*each, strict=True)])


def _merged(x: Tensor, dim: int) -> Tensor:
    """Merge the dimensions of tasks and rows."""
    return x.movedim(dim, 0).flatten(0, 1)


class _Convolve(Function):
    """`x` `[rows, in, …]`, `weight` `[out, in, …]` -> `[rows, out, …]`."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, ...], padding: int) -> Tensor:
        n = weight.dim() - 2
        return torch.convolution(x, weight, bias, list(stride), [padding] * n, [1] * n, False, [0] * n, 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        x, weight, bias, ctx.stride, ctx.padding = inputs
        ctx.biased = bias is not None
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple:
        x, weight = ctx.saved_tensors
        how = (ctx.stride, ctx.padding)
        if not torch.is_grad_enabled():  # the last derivative: all three in one call
            return *_backward(g, x, weight, *how, list(ctx.needs_input_grad[:3])), None, None
        gx = _ToInput.apply(g, weight, tuple(x.shape), *how) if ctx.needs_input_grad[0] else None
        gw = _ToWeight.apply(g, x, tuple(weight.shape), *how) if ctx.needs_input_grad[1] else None
        gb = g.sum((0, *range(2, g.dim()))) if ctx.biased and ctx.needs_input_grad[2] else None
        return gx, gw, gb, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> tuple[Tensor, int]:
        x, weight, bias, stride, padding = args
        if in_dims[0] is not None and in_dims[1] is None and in_dims[2] is None:
            y = _Convolve.apply(_merged(x, in_dims[0]), weight, bias, stride, padding)
            return y.unflatten(0, (info.batch_size, -1)), 0
        return _by_task(_Convolve, info.batch_size, (*in_dims[:3], None, None), args), 0


class _ToInput(Function):
    """The gradient at the input, given the gradient `g` `[rows, out, …]` at the output."""

    @staticmethod
    def forward(g: Tensor, weight: Tensor, shape: tuple[int, ...], stride: tuple[int, ...], padding: int) -> Tensor:
        return _backward(g, g.new_empty(shape), weight, stride, padding, [True, False, False])[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        g, weight, _, ctx.stride, ctx.padding = inputs
        ctx.save_for_backward(g, weight)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple:
        g, weight = ctx.saved_tensors
        how = (ctx.stride, ctx.padding)
        to_g = _Convolve.apply(v, weight, None, *how) if ctx.needs_input_grad[0] else None
        to_weight = _ToWeight.apply(g, v, tuple(weight.shape), *how) if ctx.needs_input_grad[1] else None
        return to_g, to_weight, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> tuple[Tensor, int]:
        g, weight, shape, stride, padding = args
        if in_dims[0] is not None and in_dims[1] is None:
            rows = (info.batch_size * shape[0], *shape[1:])
            x = _ToInput.apply(_merged(g, in_dims[0]), weight, rows, stride, padding)
            return x.unflatten(0, (info.batch_size, -1)), 0
        return _by_task(_ToInput, info.batch_size, (*in_dims[:2], None, None, None), args), 0


class _ToWeight(Function):
    """The gradient at the weight, from the gradient `g` `[rows, out, …]` at the output and `x` `[rows, in, …]`."""

    @staticmethod
    def forward(g: Tensor, x: Tensor, shape: tuple[int, ...], stride: tuple[int, ...], padding: int) -> Tensor:
        weight = g.new_empty(shape)
        if len(shape) == 4:
            weight = weight.contiguous(memory_format=torch.channels_last)
        return _backward(g, x, weight, stride, padding, [False, True, False])[1]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        g, x, _, ctx.stride, ctx.padding = inputs
        ctx.save_for_backward(g, x)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple:
        g, x = ctx.saved_tensors
        how = (ctx.stride, ctx.padding)
        to_g = _Convolve.apply(x, v, None, *how) if ctx.needs_input_grad[0] else None
        to_x = _ToInput.apply(g, v, tuple(x.shape), *how) if ctx.needs_input_grad[1] else None
        return to_g, to_x, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> tuple[Tensor, int]:
        return _by_task(_ToWeight, info.batch_size, (*in_dims[:2], None, None, None), args), 0


def convolve(layer: Any, x: Tensor, weight: Tensor | None = None) -> Tensor:
    """The output of `layer`, an `nn.Conv1d` or `nn.Conv2d`, for `x` `[rows, in, …]`.

    With another `weight`: the convolution with that weight, without the layer's bias.
    """
    bias = layer.bias if weight is None else None
    weight = layer.weight if weight is None else weight
    device = x.device.type
    if torch.is_autocast_enabled(device):  # which looks at torch's own functions only
        low = torch.get_autocast_dtype(device)
        x, weight, bias = x.to(low), weight.to(low), None if bias is None else bias.to(low)
    return _Convolve.apply(x, weight, bias, tuple(layer.stride), layer.padding[0])
