"""Imputation by learned placeholders."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Placeholder(nn.Module):
    """One learned vector for each input, the same in every row that lacks it.

    Paper: Lee et al., Multimodal Prompting with Missing Modalities for Visual Recognition, CVPR 2023 (in their prompts)
    """

    def __init__(self, inputs: int, dim: int):
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(inputs, dim) * 0.02)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """`embeddings` `[..., inputs, dim]` with those that are not `present` (bool `[..., inputs]`) replaced."""
        return torch.where(present[..., None], embeddings, self.vectors)
