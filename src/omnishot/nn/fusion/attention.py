"""Fusion by attention over the inputs present."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.errors import choose
from omnishot.nn.fusion.base import Fusion, each, shares
from omnishot.nn.layers import mask

WEIGHINGS = ("softmax", "exponential")


class Attention(Fusion):
    """Each present input's embedding gives a score; the sum of the embeddings is weighted by the scores.

    Every input has its own scorer, so the score may depend on the input as well as on its content.

    Args:
        weighing: `softmax` of the scores over the inputs present, as published; or `exponential`: eˢ of scores shifted
            to sum to zero over the inputs present, times √(2 / present), which keeps the variance for any number of
            inputs. For two inputs that is the gate f₁ eˢ + f₂ e⁻ˢ.

    Paper: Ilse et al., Attention-based Deep Multiple Instance Learning, ICML 2018, §2.4 (gated form)
    """

    def __init__(self, inputs: int, dim: int, *, weighing: str = "softmax"):
        super().__init__()
        self.weighing = choose("weighing", weighing, WEIGHINGS)
        self.content = nn.Parameter(torch.randn(inputs, dim, dim) * dim**-0.5)
        self.gate = nn.Parameter(torch.randn(inputs, dim, dim) * dim**-0.5)
        self.score = nn.Parameter(torch.zeros(inputs, dim))
        self.bias = nn.Parameter(torch.zeros(inputs))

    def weights(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """The weight of each input, `[..., inputs]`, zero where absent. Softmax weights sum to one."""
        content, gate = torch.tanh(each(embeddings, self.content)), torch.sigmoid(each(embeddings, self.gate))
        scores = (content * gate * self.score).sum(-1) + self.bias
        if self.weighing == "softmax":
            return shares(scores, present)
        here = present.sum(-1, keepdim=True).clamp(min=1).to(scores.dtype)
        centred = mask(scores - mask(scores, present).sum(-1, keepdim=True) / here, present)
        return mask(centred.exp() * (2 / here).sqrt(), present)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        return (self.weights(embeddings, present).unsqueeze(-1) * embeddings).sum(-2)
