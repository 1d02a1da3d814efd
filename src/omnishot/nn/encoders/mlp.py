"""Numbers and categories by embeddings and a small perceptron."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.modality.base import Modality
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.linear import Linear


class TabularMLP(Encoder):
    """Numbers with their presence flags and learned vectors of categories, through two linear layers.

    Paper: Guo & Berkhahn, Entity Embeddings of Categorical Variables, 2016
    """

    reads = ("tabular",)

    def __init__(self, modality: Modality, *, width: int = 64):
        super().__init__()
        self.numbers: int = modality.numbers  # type: ignore[attr-defined]
        cardinalities: tuple[int, ...] = modality.cardinalities  # type: ignore[attr-defined]
        self.cardinalities = tuple(c for c in cardinalities if c)  # of the categories, which follow the numbers
        sizes = [min(16, (c + 3) // 2) for c in self.cardinalities]
        self.levels = nn.ModuleList(nn.Embedding(c, s) for c, s in zip(self.cardinalities, sizes, strict=True))
        self.first = Linear(2 * self.numbers + sum(sizes), width)
        self.second = Linear(width, width)
        self.out = width

    def forward(self, x: Tensor) -> Tensor:
        """`x` `[rows, columns, 2]`: the numbers with their presence flags, then the categories' indices."""
        parts = [x[..., : self.numbers, :].flatten(-2)]
        parts += [embed(i) for embed, i in zip(self.levels, self._indices(x), strict=True)]
        return F.relu(self.second(F.relu(self.first(torch.cat(parts, -1)))))

    def raw(self, x: Tensor) -> Tensor:
        parts = [x[..., : self.numbers, :].flatten(-2)]
        parts += [F.one_hot(i, c).to(x.dtype) for i, c in zip(self._indices(x), self.cardinalities, strict=True)]
        return torch.cat(parts, -1)

    def _indices(self, x: Tensor) -> tuple[Tensor, ...]:
        """The index of each category column's level, `[rows]` each; 0 is a missing or unknown level."""
        return x[..., self.numbers :, 0].long().unbind(-1)
