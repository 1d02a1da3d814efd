"""Fusion by concatenation."""

from __future__ import annotations

import torch
from torch import Tensor

from omnishot.nn.fusion.base import Fusion
from omnishot.nn.linear import Linear


class Concat(Fusion):
    """All embeddings and the presence flags, concatenated, through one linear layer.

    Paper: Ngiam et al., Multimodal Deep Learning, ICML 2011
    """

    symmetric = False  # one matrix reads all inputs at once

    def __init__(self, inputs: int, dim: int):
        super().__init__()
        self.mix = Linear(inputs * dim + inputs, dim)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        return self.mix(torch.cat([embeddings.flatten(-2), present.to(embeddings.dtype)], -1))
