"""Conv-4, the small convolutional network of the few-shot literature."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.errors import UsageError, choose
from omnishot.modality.base import Modality
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.layers import Norm


class Conv4(Encoder):
    """Four 3×3 convolution blocks; halved by max-pooling (Vinyals) or by stride (Finn's Omniglot network).

    Paper: Vinyals et al., Matching Networks for One Shot Learning, NeurIPS 2016
    """

    reads = ("image",)

    def __init__(self, modality: Modality, *, width: int = 64, norm: str = "group", pool: str = "max", blocks: int = 4):
        super().__init__()
        self.pool = choose("pool", pool, ("max", "stride"))
        channels, height, breadth = modality.shape
        if min(height, breadth) < 2**blocks and pool == "max":
            raise UsageError(
                f"conv4 halves the image {blocks} times, so {height}x{breadth} pixels are too few: "
                f"set the image size to {2**blocks} or more, or pool='stride'"
            )
        inputs = [channels] + [width] * (blocks - 1)
        stride = 2 if pool == "stride" else 1
        self.convs = nn.ModuleList(nn.Conv2d(i, width, 3, padding=1, stride=stride) for i in inputs)
        self.norms = nn.ModuleList(Norm(width, norm) for _ in inputs)
        with torch.no_grad():
            self.out = self(torch.zeros(1, *modality.shape)).shape[-1]

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
            if self.pool == "max":
                x = F.max_pool2d(x, 2)
        return x.flatten(1)
