"""Conv-4, the small convolutional network of the few-shot literature."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.errors import UsageError, choose
from omnishot.modality.base import Modality
from omnishot.nn.block import block
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.layers import Norm, channels_last


class Conv4(Encoder):
    """Four 3×3 convolution blocks, each of which halves the image by max-pooling or by stride.

    Args:
        width: channels of each block.
        norm: `layer`, `group`, `instance`, `batch` (transductive) or `none`.
        pool: `max` (Vinyals), `stride` (Finn's Omniglot network, a quarter of the arithmetic), or `stem`: the first
            block by stride, the others by max-pooling.

    Paper: Vinyals et al., Matching Networks for One Shot Learning, NeurIPS 2016
    """

    reads = ("image",)

    def __init__(self, modality: Modality, *, width: int = 64, norm: str = "layer", pool: str = "max", blocks: int = 4):
        super().__init__()
        choose("pool", pool, ("max", "stride", "stem"))
        channels, height, breadth = modality.shape
        if min(height, breadth) < 2**blocks and pool != "stride":
            raise UsageError(
                f"conv4 halves the image {blocks} times, so {height}x{breadth} pixels are too few: "
                f"set the image size to {2**blocks} or more, or pool='stride'"
            )
        inputs = [channels] + [width] * (blocks - 1)
        self.strided = [pool == "stride" or (pool == "stem" and block == 0) for block in range(blocks)]
        convs = [
            nn.Conv2d(i, width, 3, padding=1, stride=2 if strided else 1)
            for i, strided in zip(inputs, self.strided, strict=True)
        ]
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList(Norm(width, norm) for _ in inputs)
        with torch.no_grad():
            self.out = self(modality.blank()).shape[-1]

    def forward(self, x: Tensor) -> Tensor:
        return self._maps(x).flatten(1)

    def parts(self, x: Tensor) -> tuple[Tensor, None]:
        """The positions of the image, row by row."""
        return self._maps(x).flatten(2).transpose(-1, -2), None

    def _maps(self, x: Tensor) -> Tensor:
        x = channels_last(x)
        for conv, norm, strided in zip(self.convs, self.norms, self.strided, strict=True):
            x = block(conv, norm, x, pool=not strided)  # type: ignore[arg-type]
        return x
