"""Fusion before encoding: the plain features of all inputs, side by side, through one encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.nn.layers import LayerNorm
from omnishot.nn.linear import Linear


class Early(nn.Module):
    """Two layers that read all features at once, and which inputs are present.

    Paper: Baltrušaitis et al., Multimodal Machine Learning: A Survey and Taxonomy, TPAMI 2019, §5.1 (early fusion)
    """

    def __init__(self, features: int, inputs: int, dim: int):
        super().__init__()
        self.layers = nn.Sequential(
            Linear(features + inputs, 2 * dim), LayerNorm(2 * dim), nn.GELU(), Linear(2 * dim, dim), LayerNorm(dim)
        )

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """`features` `[rows, features]`, zero where absent; `present` bool `[rows, inputs]` -> `[rows, dim]`."""
        return self.layers(torch.cat([features, present.to(features.dtype)], -1))
