"""Fusion by a weighted sum."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.errors import choose
from omnishot.nn.fusion.base import Fusion
from omnishot.nn.layers import mask, masked_mean

ALPHAS = ("free", "softmax", "gate")


class Sum(Fusion):
    """Σ αᵢ gᵢ over the inputs present, rescaled by the part of Σ αᵢ² that is present.

    The scale keeps the variance of the sum the same whichever inputs are missing. All α are initialised to 1/√inputs.
    In Arevalo et al. (Gated Multimodal Units for Information Fusion, 2017) a gate is a sigmoid of the whole row; this
    one reads an input's embedding and the mean of those present, so its size is linear in the number of inputs and not
    quadratic.

    Args:
        alpha: the source of α: one number per input, `free`, or √inputs times the `softmax` of free ones; or a `gate`,
            which computes it for every row from its embeddings.

    Paper: Baltrušaitis et al., Multimodal Machine Learning: A Survey and Taxonomy, TPAMI 2019, §3.1
    """

    def __init__(self, inputs: int, dim: int, *, alpha: str = "free"):
        super().__init__()
        self.kind = choose("alpha", alpha, ALPHAS)
        if alpha == "gate":
            self.own = nn.Parameter(torch.zeros(inputs, dim))
            self.row = nn.Parameter(torch.zeros(inputs, dim))
            self.bias = nn.Parameter(torch.zeros(inputs))
        else:
            self.alpha = nn.Parameter(torch.full((inputs,), inputs**-0.5))

    def alphas(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """α of every input, present or not, `[inputs]` or by row `[..., inputs]`."""
        if self.kind == "free":
            return self.alpha
        if self.kind == "softmax":
            return self.alpha.softmax(-1) * present.shape[-1] ** 0.5
        row = masked_mean(embeddings, present).unsqueeze(-2)
        gates = torch.sigmoid((embeddings * self.own + row * self.row).sum(-1) + self.bias)
        return gates * 2 * present.shape[-1] ** -0.5

    def weights(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """The factor of each embedding, `[..., inputs]`, zero where absent; α may be negative if free."""
        alpha = self.alphas(embeddings, present)
        squares = alpha.square()
        fraction = (squares * present).sum(-1, keepdim=True) / squares.sum(-1, keepdim=True).clamp(min=1e-12)
        return mask(alpha / fraction.clamp(min=1e-6).sqrt(), present)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        return (self.weights(embeddings, present).unsqueeze(-1) * embeddings).sum(-2)
