"""Precomputed features, each with a learned weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.modality.base import Modality
from omnishot.nn.encoders.base import Encoder


class Scale(Encoder):
    """The features of a frozen encoder of an earlier run (the option `frozen`), each multiplied by a learned weight.

    The weights are initialised to one, so that training starts from the features as they are.

    Paper: Tian et al., Rethinking Few-Shot Image Classification (frozen features), ECCV 2020
    """

    reads = ("features",)

    def __init__(self, modality: Modality):
        super().__init__()
        self.out = modality.shape[0]
        self.weight = nn.Parameter(torch.ones(self.out))

    def forward(self, x: Tensor) -> Tensor:
        """`x` `[rows, width]`."""
        return x * self.weight
