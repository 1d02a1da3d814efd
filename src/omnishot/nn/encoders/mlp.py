"""Numbers and categories by embeddings and a small perceptron."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.modality.base import Modality
from omnishot.nn.encoders.base import Encoder


class TabularMLP(Encoder):
    """Numbers with their presence flags and learned vectors of categories, through two linear layers.

    Paper: Guo & Berkhahn, Entity Embeddings of Categorical Variables, 2016
    """

    reads = ("tabular",)

    def __init__(self, modality: Modality, *, width: int = 64):
        super().__init__()
        cardinalities: tuple[int, ...] = modality.cardinalities  # type: ignore[attr-defined]
        self.register_buffer("is_number", torch.tensor([c == 0 for c in cardinalities]), persistent=False)
        self.cardinalities = cardinalities
        sizes = [min(16, (c + 3) // 2) for c in cardinalities if c]
        self.levels = nn.ModuleList(
            nn.Embedding(c, size) for c, size in zip((c for c in cardinalities if c), sizes, strict=True)
        )
        self.first = nn.Linear(2 * len(cardinalities) + sum(sizes), width)
        self.second = nn.Linear(width, width)
        self.out = width

    def forward(self, x: Tensor) -> Tensor:
        """`x` `[rows, columns, 2]`: value (a number, or a category's index) and presence of each column."""
        value, flag = x[..., 0], x[..., 1]
        numbers = torch.where(self.is_number, value, torch.zeros_like(value))
        parts = [numbers, flag]
        categories = [i for i, c in enumerate(self.cardinalities) if c]
        parts += [embed(value[..., i].long()) for embed, i in zip(self.levels, categories, strict=True)]
        return F.relu(self.second(F.relu(self.first(torch.cat(parts, -1)))))

    def raw(self, x: Tensor) -> Tensor:
        value, flag = x[..., 0], x[..., 1]
        parts = [torch.where(self.is_number, value, torch.zeros_like(value)), flag]
        categories = [(i, c) for i, c in enumerate(self.cardinalities) if c]
        parts += [F.one_hot(value[..., i].long(), c).to(value.dtype) for i, c in categories]
        return torch.cat(parts, -1)
