"""Fusion by a weighted sum."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Sum(nn.Module):
    """Learned Σ αᵢ gᵢ over the inputs present, rescaled by how much of Σ αᵢ² is present.

    The scale keeps the spread of the sum the same whichever inputs are missing.

    Paper: Baltrušaitis et al., Multimodal Machine Learning: A Survey and Taxonomy, TPAMI 2019, §3.1
    """

    def __init__(self, inputs: int, dim: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.full((inputs,), inputs**-0.5))

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """`embeddings` `[rows, inputs, dim]`, zero where absent; `present` bool `[rows, inputs]` -> `[rows, dim]`."""
        squares = self.alpha.square()
        share = (squares * present).sum(-1, keepdim=True) / squares.sum().clamp(min=1e-12)
        total = (self.alpha[:, None] * embeddings).sum(-2)
        return total / share.clamp(min=1e-6).sqrt()
