"""A small residual network for images."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.modality.base import Modality
from omnishot.nn.convolution import convolve
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.layers import Norm


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions and a 1×1 shortcut, which halve height and width."""

    def __init__(self, channels: int, width: int, norm: str):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, stride=2)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, width, 1)
        self.norm1, self.norm2 = Norm(width, norm), Norm(width, norm)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(convolve(self.conv2, F.relu(self.norm1(convolve(self.conv1, x)))))
        # Every second pixel first, then a convolution of stride 1: with channels last, fewer than 8 channels and stride
        # 2, oneDNN's AVX2 kernel of a 1×1 convolution writes out of bounds (torch 2.13) and the process aborts.
        return F.relu(y + convolve(self.shortcut, x[..., ::2, ::2]))


class ResNet(Encoder):
    """A small ResNet: four residual blocks of doubling width, then the mean over all positions of the image.

    Paper: He et al., Deep Residual Learning for Image Recognition, CVPR 2016
    """

    reads = ("image",)

    def __init__(self, modality: Modality, *, width: int = 32, norm: str = "layer"):
        super().__init__()
        widths = [modality.shape[0], width, 2 * width, 4 * width, 8 * width]
        self.blocks = nn.Sequential(*(ResidualBlock(i, o, norm) for i, o in pairwise(widths)))
        self.out = widths[-1]

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x).mean((-1, -2))

    def parts(self, x: Tensor) -> tuple[Tensor, None]:
        """The positions of the image, row by row."""
        return self.blocks(x).flatten(2).transpose(-1, -2), None
