"""Text by learned token vectors and transformer blocks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.modality.base import Modality
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.layers import LayerNorm, TransformerBlock, masked_mean

PAD = 0


def bag_of_tokens(tokens: Tensor, vocabulary: int) -> Tensor:
    """How often each token occurs, `[rows, tokens] -> [rows, vocabulary]`, padding not counted."""
    counts = torch.zeros(*tokens.shape[:-1], vocabulary, dtype=torch.get_default_dtype(), device=tokens.device)
    ones = (tokens != PAD).to(counts.dtype)
    return counts.scatter_add(-1, tokens, ones)


class TextTransformer(Encoder):
    """Token and position vectors, transformer blocks, and the mean over the tokens that are no padding.

    Paper: Vaswani et al., Attention Is All You Need, NeurIPS 2017
    """

    reads = ("text",)

    def __init__(self, modality: Modality, *, width: int = 64, layers: int = 1, heads: int = 4):
        super().__init__()
        self.vocabulary = modality.vocabulary  # type: ignore[attr-defined]
        self.tokens = nn.Embedding(self.vocabulary, width)
        self.positions = nn.Parameter(torch.randn(modality.shape[0], width) * 0.02)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        self.norm = LayerNorm(width)
        self.out = width

    def forward(self, x: Tensor) -> Tensor:
        return masked_mean(*self.parts(x))

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens after the transformer blocks."""
        real = x != PAD
        h = self.tokens(x) + self.positions
        for block in self.blocks:
            h = block(h, real)
        return self.norm(h), real

    def raw(self, x: Tensor) -> Tensor:
        return F.normalize(bag_of_tokens(x, self.vocabulary), dim=-1)
