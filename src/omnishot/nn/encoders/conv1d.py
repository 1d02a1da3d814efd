"""Sensor series by convolutions over time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.modality.base import Modality
from omnishot.nn.convolution import convolve
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.layers import Norm


class SeriesConv(Encoder):
    """Convolution blocks over time that halve the length, then mean and maximum over time.

    Paper: Wang et al., Time Series Classification from Scratch with Deep Neural Networks, IJCNN 2017
    """

    reads = ("series",)

    def __init__(self, modality: Modality, *, width: int = 64, blocks: int = 3, norm: str = "layer"):
        super().__init__()
        inputs = [modality.shape[-1]] + [width] * (blocks - 1)
        self.convs = nn.ModuleList(nn.Conv1d(i, width, 5, padding=2, stride=2) for i in inputs)
        self.norms = nn.ModuleList(Norm(width, norm) for _ in inputs)
        self.out = 2 * width

    def forward(self, x: Tensor) -> Tensor:
        h = self._maps(x)
        return torch.cat([h.mean(-1), h.amax(-1)], -1)

    def parts(self, x: Tensor) -> tuple[Tensor, None]:
        """The time steps of the series."""
        return self._maps(x).transpose(-1, -2), None

    def _maps(self, x: Tensor) -> Tensor:
        """`[rows, width, times]`."""
        h = x.transpose(-1, -2)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = F.relu(norm(convolve(conv, h)))
        return h
