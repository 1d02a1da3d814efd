"""Canonical correlations of several inputs: linear maps into one space, found in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

TINY = 1e-7  # directions with a smaller share of the largest standard deviation are rounding errors


def canonical(
    views: Sequence[Tensor], present: Tensor, components: int, principal: int
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """The centre `[width]` and the map `[width, components]` of every view, and the correlations `[components]`.

    Every view is brought to its first `principal` principal components, of unit variance. The eigenvectors of the
    correlations of all of them side by side, `[[I, R₁₂, …], [R₂₁, I, …], …]`, are then the directions that the views
    share most: for two views those of canonical correlation analysis, with variates `(view − centre) @ map` of unit
    variance; for more those of Carroll's generalisation, which maximises the variance of the variates' sum (MAXVAR). An
    eigenvalue λ of m views says that two variates correlate by (λ − 1) / (m − 1) on average.

    Components that are not to be had, for want of rows or because the views share nothing more, are zero.

    Args:
        views: each `[rows, width]`; what stands in absent rows has no meaning.
        present: bool `[rows, views]`; two views are correlated over the rows that have both.

    Papers: Hotelling, Relations Between Two Sets of Variates, Biometrika 1936; Kettenring, Canonical Analysis of
    Several Sets of Variables, Biometrika 1971
    """
    own = [whitening(x[here], principal) for x, here in zip(views, present.T, strict=True)]
    scores = [
        torch.where(here[:, None], (x - centre) @ white, 0.0)
        for x, here, (centre, white) in zip(views, present.T, own, strict=True)
    ]
    every = torch.cat(scores, -1)
    widths = [white.shape[-1] for _, white in own]
    of = torch.arange(len(views), device=every.device).repeat_interleave(torch.tensor(widths, device=every.device))
    both = (present.to(every.dtype).T @ present.to(every.dtype)).clamp(min=1)
    values, vectors = torch.linalg.eigh(every.T @ every / both[of][:, of])
    order = values.argsort(descending=True)[:components]
    order = order[values[order] > 1 + TINY]
    correlations = values.new_zeros(components)
    correlations[: len(order)] = ((values[order] - 1) / (len(views) - 1)).clamp(max=1)  # rows apart may say more
    maps = []
    for (_, white), part in zip(own, (len(views) ** 0.5 * vectors[:, order]).split(widths), strict=True):
        maps.append(white.new_zeros(len(white), components))
        maps[-1][:, : len(order)] = white @ part
    return [centre for centre, _ in own], maps, correlations


def whitening(x: Tensor, principal: int) -> tuple[Tensor, Tensor]:
    """The mean `[width]` of rows `[rows, width]`, and the map `[width, at most principal]` from what they differ by to
    principal components of unit variance."""
    if len(x) < 2:
        return x.new_zeros(x.shape[-1]), x.new_zeros(x.shape[-1], 0)
    mean = x.mean(0)
    _, sizes, directions = torch.linalg.svd(x - mean, full_matrices=False)
    kept = int((sizes[:principal] > TINY * sizes[0]).sum())
    return mean, directions[:kept].T / sizes[:kept] * len(x) ** 0.5
