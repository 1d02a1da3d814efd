"""Numbers and categories by embeddings and a small perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.modality.base import Modality
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.linear import Linear


class TabularMLP(Encoder):
    """Numbers with their presence flags and learned vectors of categories, followed by linear layers.

    Args:
        width: of two layers, or a list with the width of each layer.

    Paper: Guo & Berkhahn, Entity Embeddings of Categorical Variables, 2016
    """

    reads = ("tabular",)

    def __init__(self, modality: Modality, *, width: int | Sequence[int] = 64):
        super().__init__()
        widths = (width, width) if isinstance(width, int) else tuple(width)
        if not widths or min(widths) < 1:
            raise UsageError(f"width = {width!r} of encoder 'mlp': give a number from 1, or a list of them")
        self.numbers: int = modality.numbers  # type: ignore[attr-defined]
        cardinalities: tuple[int, ...] = modality.cardinalities  # type: ignore[attr-defined]
        self.cardinalities = tuple(c for c in cardinalities if c)  # of the categories, which follow the numbers
        sizes = [min(16, (c + 3) // 2) for c in self.cardinalities]
        self.levels = nn.ModuleList(nn.Embedding(c, s) for c, s in zip(self.cardinalities, sizes, strict=True))
        self.layers = nn.ModuleList(Linear(i, o) for i, o in pairwise((2 * self.numbers + sum(sizes), *widths)))
        self.out = widths[-1]

    def forward(self, x: Tensor) -> Tensor:
        """`x` `[rows, columns, 2]`: the numbers with their presence flags, then the categories' indices."""
        parts = [x[..., : self.numbers, :].flatten(-2)]
        parts += [embed(i) for embed, i in zip(self.levels, self._indices(x), strict=True)]
        h = torch.cat(parts, -1) if self.cardinalities else parts[0]
        for layer in self.layers:
            h = F.relu(layer(h))
        return h

    def raw(self, x: Tensor) -> Tensor:
        parts = [x[..., : self.numbers, :].flatten(-2)]
        for i, c in zip(self._indices(x), self.cardinalities, strict=True):
            parts.append((i[..., None] == torch.arange(c, device=x.device)).to(x.dtype))  # F.one_hot has no vmap rule
        return torch.cat(parts, -1)

    def _indices(self, x: Tensor) -> tuple[Tensor, ...]:
        """The index of each category column's level, `[rows]` each; 0 is a missing or unknown level."""
        return x[..., self.numbers :, 0].long().unbind(-1)
