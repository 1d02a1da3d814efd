"""Building blocks that give right first and second derivatives in a loop and under `torch.vmap` alike.

Affine BatchNorm and LayerNorm give silently wrong second-order gradients under `grad(vmap(...))`, so here they are
norms without affine part followed by a plain scale and shift. Affine GroupNorm is right, and a fifth of the time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.errors import UsageError, choose

NORMS = ("layer", "group", "instance", "batch", "none")


def groups_of(channels: int, size: int) -> int:
    """In how many equal groups of at least `size` channels (or one group of all) `channels` can be cut at most."""
    return max((g for g in range(1, channels // size + 1) if channels % g == 0), default=1)


class Norm(nn.Module):
    """Normalise `[rows, channels, ...]`, then scale and shift per channel.

    `layer` (Ba et al. 2016), `group` (Wu & He 2018) and `instance` look at one row at a time. `batch` uses the
    statistics of the rows it is given, as published MAML does: then a query row's prediction depends on the other
    query rows (transductive).
    A value that has no others to be normalised with (instance norm of one pixel) is only scaled and shifted.
    """

    def __init__(self, channels: int, kind: str = "group", group_size: int = 8):
        super().__init__()
        self.kind = choose("norm", kind, NORMS)
        self.groups = {"layer": 1, "instance": channels}.get(kind) or groups_of(channels, group_size)
        self.transductive = kind == "batch"
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "none":
            return x
        if self.kind != "batch" and x[0].numel() > self.groups:
            return F.group_norm(x, self.groups, self.scale, self.shift)
        if self.kind == "batch" and x.numel() > x.shape[1]:
            x = F.batch_norm(x, None, None, training=True)
        shape = (-1,) + (1,) * (x.dim() - 2)
        return x * self.scale.view(shape) + self.shift.view(shape)


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
    """Multi-head self-attention `[rows, tokens, dim]` from matrix products (Vaswani et al. 2017, §3.2).

    Fused attention kernels have no double backward, so the scores are written out.
    """

    def __init__(self, dim: int, heads: int = 4):
        super().__init__()
        if dim % heads:
            raise UsageError(f"attention cannot share a width of {dim} among {heads} heads: use a multiple of {heads}")
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """`real` bool `[rows, tokens]` marks the tokens that may be attended to."""
        rows, tokens, dim = x.shape
        q, k, v = self.qkv(x).view(rows, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) * (dim // self.heads) ** -0.5
        scores = torch.where(real[:, None, None, :], scores, torch.finfo(scores.dtype).min)
        mixed = scores.softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(rows, tokens, dim))


class TransformerBlock(nn.Module):
    """Pre-norm transformer block `[rows, tokens, dim] -> [rows, tokens, dim]`."""

    def __init__(self, dim: int, heads: int = 4, expand: int = 2):
        super().__init__()
        self.norm1, self.norm2 = LayerNorm(dim), LayerNorm(dim)
        self.attention = Attention(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, expand * dim), nn.GELU(), nn.Linear(expand * dim, dim))

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), real)
        return x + self.mlp(self.norm2(x))


def channels_last(x: Tensor) -> Tensor:
    """The same pictures `[rows, channels, h, w]`, laid out with channels last, in which convolutions then keep theirs.

    On a CPU max-pooling then takes a fraction of the time. With one channel torch takes either layout for the other,
    so the strides are written anew. Works under vmap, where `Tensor.to(memory_format=…)` does not.
    """
    x = x.permute(0, 2, 3, 1)
    return x.flatten(1).unflatten(1, x.shape[1:]).permute(0, 3, 1, 2)


def mask(x: Tensor, keep: Tensor) -> Tensor:
    """Zero where `keep` is false; `keep` has the leading dimensions of `x`. Exact even where `x` is NaN."""
    return torch.where(keep.reshape(keep.shape + (1,) * (x.dim() - keep.dim())), x, torch.zeros_like(x))


def masked_mean(x: Tensor, keep: Tensor) -> Tensor:
    """Mean over the second-to-last dimension of `[..., n, dim]` where `keep` `[..., n]`; zero if nothing is kept."""
    total = mask(x, keep).sum(-2)
    return total / keep.sum(-1, keepdim=True).clamp(min=1).to(x.dtype)
