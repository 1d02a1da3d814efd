"""LeNet-5, the first network for handwritten digits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.errors import UsageError, choose
from omnishot.modality.base import Modality
from omnishot.nn.convolution import convolve
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.layers import NORMS, Norm, channels_last
from omnishot.nn.linear import Linear

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "tanh": torch.tanh}
POOLS: dict[str, Callable[[Tensor, int], Tensor]] = {"max": F.max_pool2d, "mean": F.avg_pool2d}
SMALLEST = 12  # pixels a side, of which the second pooling leaves one


class LeNet(Encoder):
    """LeNet-5: two 5×5 convolutions, each followed by 2×2 pooling, then two fully connected layers.

    Unlike the published form, the second convolution reads all channels of the first, pooling has no weights, and the
    defaults are rectified units and max-pooling; `tanh` and `mean` are nearer to the published form.

    Args:
        width: channels of the first convolution. The other layers are in proportion: with 6, as published, 16 channels,
            then 120 and 84 units.
        activation: `relu` or `tanh`.
        pool: `max` or `mean`.
        norm: after each convolution: `none` as published, `layer`, `group`, `instance` or `batch` (transductive).
        dropout: rate of dropout before the fully connected layers in training, between 0 and 1 (Srivastava et al.,
            JMLR 2014).

    Paper: LeCun et al., Gradient-Based Learning Applied to Document Recognition, Proceedings of the IEEE 1998
    """

    reads = ("image",)

    def __init__(
        self,
        modality: Modality,
        *,
        width: int = 6,
        activation: str = "relu",
        pool: str = "max",
        norm: str = "none",
        dropout: float = 0.0,
    ):
        super().__init__()
        channels, height, breadth = modality.shape
        if min(height, breadth) < SMALLEST:
            raise UsageError(
                f"lenet needs {SMALLEST} pixels a side, {height}x{breadth} are too few: set the image size to "
                f"{SMALLEST} or more, or use another encoder"
            )
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout of encoder 'lenet' must be at least 0 and below 1, not {dropout!r}")
        self.activation = choose("activation", activation, ACTIVATIONS)
        self.pool = choose("pool", pool, POOLS)
        self.dropout = dropout
        second, full, self.out = (max(1, round(width * part / 6)) for part in (16, 120, 84))
        self.convs = nn.ModuleList([nn.Conv2d(channels, width, 5, padding=2), nn.Conv2d(width, second, 5)])
        choose("norm", norm, NORMS)
        self.norms = nn.ModuleList(nn.Identity() if norm == "none" else Norm(c, norm) for c in (width, second))
        left = [(side // 2 - 4) // 2 for side in (height, breadth)]
        self.layers = nn.ModuleList(Linear(i, o) for i, o in pairwise((second * left[0] * left[1], full, self.out)))

    def forward(self, x: Tensor) -> Tensor:
        h, act = channels_last(x), ACTIVATIONS[self.activation]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = POOLS[self.pool](act(norm(convolve(conv, h))), 2)
        h = h.flatten(1)
        for layer in self.layers:
            h = act(layer(F.dropout(h, self.dropout, self.training)))
        return h
