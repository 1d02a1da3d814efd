"""Attention of one set of tokens over another, from matrix products: fused kernels have no double backward."""

from __future__ import annotations

import torch
from torch import Tensor

from omnishot.errors import UsageError


def attend(
    q: Tensor, k: Tensor, v: Tensor, heads: int, *, keep: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """Multi-head scaled dot-product attention (Vaswani et al. 2017, §3.2), `[..., n, dim]`.

    Args:
        q: queries `[..., n, dim]`.
        k, v: keys and values `[..., m, dim]`.
        heads: number of equal parts that the dimensions are split into.
        keep: bool, broadcast to `[..., heads, n, m]`: the values that may be attended to. A query that may attend to
            none attends to all equally.
        bias: added to the scores, broadcast to `[..., heads, n, m]`.
    """
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(-2, -3) for t in (q, k, v))
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias
    if keep is not None:
        scores = torch.where(keep, scores, torch.finfo(scores.dtype).min)
    return (scores.softmax(-1) @ v).transpose(-2, -3).flatten(-2)


def check_heads(dim: int, heads: int) -> None:
    """Check that a width can be split among attention heads.

    Raises:
        UsageError: if there is no head, or `dim` is no multiple of `heads`.
    """
    if heads < 1:
        raise UsageError(f"attention with {heads} heads: use 1 or more")
    if dim < 1 or dim % heads:
        raise UsageError(f"attention cannot share a width of {dim} among {heads} heads: use a multiple of {heads}")
