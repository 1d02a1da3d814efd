"""Fusion by concatenation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.nn.linear import Linear


class Concat(nn.Module):
    """All embeddings side by side with what is present, through one linear layer.

    Paper: Ngiam et al., Multimodal Deep Learning, ICML 2011
    """

    def __init__(self, inputs: int, dim: int):
        super().__init__()
        self.mix = Linear(inputs * dim + inputs, dim)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """`embeddings` `[rows, inputs, dim]`, zero where absent; `present` bool `[rows, inputs]` -> `[rows, dim]`."""
        return self.mix(torch.cat([embeddings.flatten(-2), present.to(embeddings.dtype)], -1))
