"""Text by learned token vectors and a recurrent network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.modality.base import Modality
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.encoders.transformer import PAD, bag_of_tokens
from omnishot.nn.layers import masked_mean
from omnishot.nn.linear import Linear


class TextGRU(Encoder):
    """Token vectors read in order by gated recurrent units, and the mean over their states.

    The cell is unrolled in Python: `nn.GRU` fails under vmap and cuDNN's has no double backward.

    Paper: Cho et al., Learning Phrase Representations using RNN Encoder–Decoder, EMNLP 2014
    """

    reads = ("text",)

    def __init__(self, modality: Modality, *, width: int = 64):
        super().__init__()
        self.vocabulary = modality.vocabulary  # type: ignore[attr-defined]
        self.tokens = nn.Embedding(self.vocabulary, width)
        self.read = Linear(width, 3 * width)
        self.carry = Linear(width, 3 * width)
        self.out = width

    def forward(self, x: Tensor) -> Tensor:
        return masked_mean(*self.parts(x))

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The states after each token."""
        real = x != PAD
        reads = self.read(self.tokens(x)).unbind(-2)
        h = torch.zeros_like(reads[0][..., : self.out])
        states = []
        for step, here in zip(reads, real.unbind(-1), strict=True):
            r, z, n = step.chunk(3, -1)
            hr, hz, hn = self.carry(h).chunk(3, -1)
            z = torch.sigmoid(z + hz)
            new = (1 - z) * torch.tanh(n + torch.sigmoid(r + hr) * hn) + z * h
            h = torch.where(here[..., None], new, h)
            states.append(h)
        return torch.stack(states, -2), real

    def raw(self, x: Tensor) -> Tensor:
        return F.normalize(bag_of_tokens(x, self.vocabulary), dim=-1)
