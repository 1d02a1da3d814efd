"""A network that contains smaller ones, and weights that mix them.

A choice has a weight for each of its options; they sum to one. A weight of one for a single option selects one of the
smaller networks; other weights mix the options differentiably.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from omnishot.nn.linear import Linear


class Tower(nn.Module):
    """Residual blocks `[..., dim] -> [..., dim]`, of which a prefix and a fraction of the channels can be used.

    The first channels are those of the narrower networks too, so blocks are shared by all depths and widths. Channels
    beyond the width stay zero, inside the blocks as well.

    Args:
        dim: channels.
        depth: blocks; the options of depth are 0 … `depth`.
        widths: the options of width, as fractions of the channels.

    Paper: Yu et al., Slimmable Neural Networks, ICLR 2019 (widths)
    """

    masks: Tensor

    def __init__(self, dim: int, depth: int, widths: Sequence[float]):
        super().__init__()
        self.into = nn.ModuleList(Linear(dim, dim) for _ in range(depth))
        self.back = nn.ModuleList(Linear(dim, dim) for _ in range(depth))
        kept = torch.tensor([max(1, round(fraction * dim)) for fraction in widths])
        self.register_buffer("masks", (torch.arange(dim) < kept[:, None]).float(), persistent=False)

    def forward(self, x: Tensor, depth: Tensor, width: Tensor) -> Tensor:
        """`depth` `[blocks + 1]` and `width` `[widths]` are the weights of the options."""
        keep = width @ self.masks.to(width.dtype)
        h = x * keep
        exits = depth[0] * h
        for i, (into, back) in enumerate(zip(self.into, self.back, strict=True)):
            h = h + keep * back(keep * nn.functional.gelu(into(h)))
            exits = exits + depth[i + 1] * h
        return exits
