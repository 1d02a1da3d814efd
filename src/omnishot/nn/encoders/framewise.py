"""Video by an image encoder for every frame and attention over the frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.modality.base import Modality
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.encoders.conv4 import Conv4
from omnishot.nn.layers import LayerNorm, TransformerBlock
from omnishot.nn.linear import Linear


class Framewise(Encoder):
    """The same Conv-4 on every frame, then transformer blocks over the frames with their positions, then the mean.

    Arnab et al.'s factorised encoder (§3.3, model 2), with Conv-4 in place of the spatial transformer and the mean
    over time in place of a class token.

    Args:
        width: channels of Conv-4 and of the vector.
        norm, pool, blocks: of Conv-4; `pool="stride"` takes a quarter of the arithmetic of max-pooling.
        layers, heads: of the transformer over time.

    Paper: Arnab et al., ViViT: A Video Vision Transformer, ICCV 2021
    """

    reads = ("video",)

    def __init__(
        self,
        modality: Modality,
        *,
        width: int = 64,
        norm: str = "layer",
        pool: str = "stride",
        blocks: int = 4,
        layers: int = 1,
        heads: int = 4,
    ):
        super().__init__()
        still: Modality = modality.still  # type: ignore[attr-defined]
        self.still = Conv4(still, width=width, norm=norm, pool=pool, blocks=blocks)
        self.shrink = Linear(self.still.out, width)
        self.positions = nn.Parameter(torch.randn(modality.shape[0], width) * 0.02)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        self.norm = LayerNorm(width)
        self.out = width

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x)[0].mean(-2)

    def parts(self, x: Tensor) -> tuple[Tensor, None]:
        """The frames, after attention over all frames."""
        h = self.shrink(self.still(x.flatten(0, 1))).unflatten(0, x.shape[:2]) + self.positions
        every = torch.ones(h.shape[:-1], dtype=torch.bool, device=h.device)
        for block in self.blocks:
            h = block(h, every)
        return self.norm(h), None
