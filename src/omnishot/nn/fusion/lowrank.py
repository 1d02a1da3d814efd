"""Fusion by a low-rank tensor product."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.nn.fusion.base import Fusion, each


class TensorProduct(Fusion):
    """All products of dimensions of several inputs, weighted by a tensor of low rank that is never computed explicitly.

    A one is appended to each embedding, so that the outer product of all embeddings holds every interaction of one, two
    and more of them. A linear map of this product by a tensor of rank r is Σᵣ cᵣ Πᵢ Wᵢᵣ [gᵢ, 1]; an absent input
    contributes a factor of one. The weights of the appended ones are initialised to 1 and the others to small values:
    the result is then close to a sum of linear maps of the inputs, and products of many inputs neither vanish nor
    explode.

    Args:
        rank: of the tensor.

    Paper: Liu et al., Efficient Low-rank Multimodal Fusion with Modality-Specific Factors, ACL 2018
    """

    def __init__(self, inputs: int, dim: int, *, rank: int = 4):
        super().__init__()
        if rank < 1:
            raise UsageError(f"a tensor of rank {rank}: use 1 or more")
        self.rank = rank
        self.factor = nn.Parameter(torch.randn(inputs, dim, rank * dim) * (inputs * dim) ** -0.5)
        self.one = nn.Parameter(torch.ones(inputs, rank * dim))
        self.mix = nn.Parameter(torch.full((rank,), rank**-0.5))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        factors = torch.where(present.unsqueeze(-1), each(embeddings, self.factor) + self.one, 1.0)
        terms = product(factors).unflatten(-1, (self.rank, -1))
        return (self.mix.unsqueeze(-1) * terms).sum(-2) + self.bias


def product(x: Tensor) -> Tensor:
    """The product over the second-to-last dimension, in pairs: `torch.prod` has no second derivative under vmap."""
    while (n := x.shape[-2]) > 1:
        pairs = x[..., : n // 2, :] * x[..., n // 2 : 2 * (n // 2), :]
        x = torch.cat([pairs, x[..., 2 * (n // 2) :, :]], -2) if n % 2 else pairs
    return x.squeeze(-2)
