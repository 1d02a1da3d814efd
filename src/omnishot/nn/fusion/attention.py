"""Fusion by attention over the inputs present."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Each present input's embedding scores itself; the softmax of the scores weighs the sum.

    Every input has its own scorer, so that which input it is may matter as much as what it holds.

    Paper: Ilse et al., Attention-based Deep Multiple Instance Learning, ICML 2018, §2.4 (gated form)
    """

    def __init__(self, inputs: int, dim: int):
        super().__init__()
        self.content = nn.Parameter(torch.randn(inputs, dim, dim) * dim**-0.5)
        self.gate = nn.Parameter(torch.randn(inputs, dim, dim) * dim**-0.5)
        self.score = nn.Parameter(torch.zeros(inputs, dim))
        self.bias = nn.Parameter(torch.zeros(inputs))

    def weights(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """How much each input counts, `[rows, inputs]`: zero where absent, summing to one where anything is present."""
        content = torch.tanh(torch.einsum("...id,ide->...ie", embeddings, self.content))
        gate = torch.sigmoid(torch.einsum("...id,ide->...ie", embeddings, self.gate))
        scores = (content * gate * self.score).sum(-1) + self.bias
        scores = torch.where(present, scores, torch.finfo(scores.dtype).min)
        return torch.where(present, scores.softmax(-1), torch.zeros_like(scores))

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """`embeddings` `[rows, inputs, dim]`, zero where absent; `present` bool `[rows, inputs]` -> `[rows, dim]`."""
        return (self.weights(embeddings, present).unsqueeze(-1) * embeddings).sum(-2)
