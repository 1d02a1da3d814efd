"""How near rows are to one another in the feature space."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """|a − b|² between all rows: `[n, dim]`, `[m, dim]` -> `[n, m]`.

    Never in half precision, in which the terms of rows that are alike do not cancel.
    """
    with torch.autocast(a.device.type, enabled=False):
        a, b = full_precision(a), full_precision(b)
        return a.square().sum(-1, keepdim=True) - 2 * a @ b.transpose(-1, -2) + b.square().sum(-1)


def unit(x: Tensor) -> Tensor:
    """Rows `[..., dim]` at length one; a row of zeros stays one."""
    return x * x.square().sum(-1, keepdim=True).clamp(min=1e-12).rsqrt()


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """The cosine of the angle between all rows, zero for a row of zeros: `[n, dim]`, `[m, dim]` -> `[n, m]`."""
    return unit(a) @ unit(b).transpose(-1, -2)


def full_precision(x: Tensor) -> Tensor:
    """At least float32: what cancels, or is a system of equations, is too rough in half precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


#: By name of a distance: how alike all rows are.
LIKENESS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "euclidean": lambda a, b: -squared_distances(a, b),
    "cosine": cosines,
}
#: By name of a distance: a scale that neither flattens nor saturates a softmax at the start, for features of width dim.
SCALE: dict[str, Callable[[int], float]] = {"euclidean": lambda dim: dim**-0.5, "cosine": lambda dim: 10.0}
