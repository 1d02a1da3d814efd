"""Building blocks with correct first and second derivatives, in a loop and under `torch.vmap`.

Affine BatchNorm and LayerNorm give silently wrong second-order gradients under `grad(vmap(...))`, so here they are
norms without affine part followed by a plain scale and shift. Affine GroupNorm is right, and takes a fifth of the time.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from omnishot.errors import choose
from omnishot.nn.attend import attend, check_heads
from omnishot.nn.linear import Linear

EPSILON = 1e-5  # added to the variance, as torch's norms do
NORMS = ("layer", "group", "instance", "batch", "none")


def groups_of(channels: int, size: int) -> int:
    """The largest number of equal groups of at least `size` channels (or one group of all) that divides `channels`."""
    return max((g for g in range(1, channels // size + 1) if channels % g == 0), default=1)


class Norm(nn.Module):
    """Normalise `[rows, channels, ...]`, then scale and shift per channel.

    `layer` (Ba et al. 2016), `group` (Wu & He 2018) and `instance` normalise each row by itself. `batch` uses the
    statistics of the given rows, as published MAML does: then a query row's prediction depends on the other query rows
    (transductive). A value that is alone in its group (instance norm of one pixel) is only scaled and shifted.
    """

    def __init__(self, channels: int, kind: str = "group", group_size: int = 8):
        super().__init__()
        self.kind = choose("norm", kind, NORMS)
        self.groups = {"layer": 1, "instance": channels}.get(kind) or groups_of(channels, group_size)
        self.transductive = kind == "batch"
        self.of_one_row = kind in ("layer", "group", "instance")
        self.acts = kind != "none"  # else its scale and shift do nothing
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "none":
            return x
        x = x.to(self.scale.dtype)  # statistics are never taken in half precision
        if self.of_one_row and x[0].numel() > self.groups:
            if not transformed():
                if layout(x) is torch.channels_last and torch.is_grad_enabled():
                    x = _Tied.apply(x, self.scale, self.shift)
                return F.group_norm(x, self.groups, self.scale, self.shift)
            x = _Normalise.apply(x, self.groups)[0]
        elif self.kind == "batch" and x.numel() > x.shape[1]:
            x = F.batch_norm(x, None, None, training=True)
        shape = (-1,) + (1,) * (x.dim() - 2)
        return x * self.scale.view(shape) + self.shift.view(shape)


def uses_batch_statistics(module: nn.Module) -> bool:
    """Whether a norm in a module uses the statistics of all rows of a batch."""
    return any(isinstance(part, Norm) and part.transductive for part in module.modules())


class _Tied(Function):
    """`x` itself, with a gradient computed whenever that of one of `others` is.

    With channels last, torch's group norm crashes on a CPU (torch 2.13) if the gradient of its scale is needed but not
    that of its input.
    """

    @staticmethod
    def forward(x: Tensor, *others: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.others = len(inputs) - 1

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple:
        return g, *[None] * ctx.others


class _Normalise(Function):
    """Each row of `x` `[rows, channels, …]` to mean 0 and variance 1 by group of channels; also mean and 1/deviation.

    torch's group norm cannot be vmapped with channels last. No row depends on another, so tasks are rows.
    """

    @staticmethod
    def forward(x: Tensor, groups: int) -> tuple[Tensor, Tensor, Tensor]:
        n, c = x.shape[:2]
        x = x.contiguous(memory_format=layout(x))
        return torch.ops.aten.native_group_norm(x, None, None, n, c, x[0, 0].numel(), groups, EPSILON)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        x, ctx.groups = inputs
        _, mean, rstd = output
        ctx.mark_non_differentiable(mean, rstd)
        ctx.save_for_backward(x, mean, rstd)

    @staticmethod
    def backward(ctx: Any, g: Tensor, *_: Any) -> tuple:
        return _NormaliseBack.apply(g, *ctx.saved_tensors, ctx.groups), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, x: Tensor, groups: int) -> tuple:
        results = _Normalise.apply(x.movedim(in_dims[0], 0).flatten(0, 1), groups)
        return tuple(r.unflatten(0, (info.batch_size, -1)) for r in results), (0, 0, 0)


class _NormaliseBack(Function):
    """The gradient at the rows, given the gradient `g` at the normalised rows.

    With y the normalised row, r 1/deviation and m the mean over a group, B(g) = r (g − m(g) − y m(gy)), which is its
    own transpose; d⟨v, B(g)⟩/dx = −r (r c y + m(gy) B(v) + m(vy) B(g)) with c = m(vg) − m(v) m(g) − m(vy) m(gy).
    """

    @staticmethod
    def forward(g: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, groups: int) -> Tensor:
        n, c = x.shape[:2]
        g, x = (t.contiguous(memory_format=layout(x)) for t in (g, x))  # the kernel takes them for alike
        back = torch.ops.aten.native_group_norm_backward
        return back(g, x, mean, rstd, None, n, c, x[0, 0].numel(), groups, [True, False, False])[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        *tensors, ctx.groups = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple:
        g, x, mean, rstd = ctx.saved_tensors
        back_v = _NormaliseBack.apply(v, x, mean, rstd, ctx.groups)
        if not ctx.needs_input_grad[1]:
            return back_v, None, None, None, None

        def grouped(t: Tensor) -> Tensor:  # [rows, groups, channels of a group, …]
            return t.unflatten(1, (ctx.groups, -1))

        over = tuple(range(2, x.dim() + 1))
        r, mu = (t.view(*t.shape, *[1] * (x.dim() - 1)) for t in (rstd, mean))
        y, gg, vv = (grouped(x) - mu) * r, grouped(g), grouped(v)
        gy, vy = (gg * y).mean(over, keepdim=True), (vv * y).mean(over, keepdim=True)
        c = (vv * gg).mean(over, keepdim=True) - gg.mean(over, keepdim=True) * vv.mean(over, keepdim=True) - vy * gy
        back_g = _NormaliseBack.apply(g, x, mean, rstd, ctx.groups)
        to_x = -r * (r * c * y + gy * grouped(back_v) + vy * grouped(back_g))
        return back_v, to_x.flatten(1, 2), None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> tuple[Tensor, int]:
        tensors = [t.unsqueeze(0).expand(info.batch_size, *t.shape) if d is None else t.movedim(d, 0)
                   for t, d in zip(args[:4], in_dims, strict=False)]  # fmt: skip
        merged = _NormaliseBack.apply(*(t.flatten(0, 1) for t in tensors), args[4])
        return merged.unflatten(0, (info.batch_size, -1)), 0


def layout(x: Tensor) -> torch.memory_format:
    """The memory format of `x`: channels last for images laid out so, else contiguous."""
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def transformed() -> bool:
    """Whether a torch.func transform is running."""
    return torch._C._are_functorch_transforms_active()


class LayerNorm(nn.Module):
    """Normalise the last dimension (`dim`), then scale and shift (Ba et al. 2016)."""

    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim
        self.scale = nn.Parameter(torch.ones(dim))
        self.shift = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, (self.dim,)) * self.scale + self.shift


class Attention(nn.Module):
    """Multi-head self-attention `[..., tokens, dim]` from matrix products (Vaswani et al. 2017, §3.2)."""

    def __init__(self, dim: int, heads: int = 4):
        super().__init__()
        check_heads(dim, heads)
        self.heads = heads
        self.qkv = Linear(dim, 3 * dim)
        self.out = Linear(dim, dim)

    def forward(self, x: Tensor, real: Tensor, first: int | None = None) -> Tensor:
        """`real` bool `[..., tokens]` marks the tokens that may be attended to; if only the `first` few shall attend,
        `[..., first, dim]`."""
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.out(attend(q[..., :first, :], k, v, self.heads, keep=real[..., None, None, :]))


class TransformerBlock(nn.Module):
    """Pre-norm transformer block `[..., tokens, dim] -> [..., tokens, dim]`, or the `first` few tokens of that."""

    def __init__(self, dim: int, heads: int = 4, expand: int = 2):
        super().__init__()
        self.norm1, self.norm2 = LayerNorm(dim), LayerNorm(dim)
        self.attention = Attention(dim, heads)
        self.mlp = nn.Sequential(Linear(dim, expand * dim), nn.GELU(), Linear(expand * dim, dim))

    def forward(self, x: Tensor, real: Tensor, first: int | None = None) -> Tensor:
        x = x[..., :first, :] + self.attention(self.norm1(x), real, first)
        return x + self.mlp(self.norm2(x))


def channels_last(x: Tensor) -> Tensor:
    """The same images `[rows, channels, h, w]` with channels last in memory, which convolutions keep.

    On a CPU max-pooling then takes a fraction of the time. With one channel torch does not distinguish the layouts, so
    the strides are set explicitly. Works under vmap, where `Tensor.to(memory_format=…)` does not.
    """
    x = x.permute(0, 2, 3, 1)
    return x.flatten(1).unflatten(1, x.shape[1:]).permute(0, 3, 1, 2)


def mask(x: Tensor, keep: Tensor) -> Tensor:
    """Zero where `keep` is false; `keep` has the leading dimensions of `x`. Exact even where `x` is NaN."""
    return torch.where(keep.reshape(keep.shape + (1,) * (x.dim() - keep.dim())), x, x.new_zeros(()))


def masked_mean(x: Tensor, keep: Tensor) -> Tensor:
    """Mean over the second-to-last dimension of `[..., n, dim]` where `keep` `[..., n]`; zero if nothing is kept."""
    total = mask(x, keep).sum(-2)
    return total / keep.sum(-1, keepdim=True).clamp(min=1).to(x.dtype)
