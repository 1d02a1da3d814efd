"""Alignment by telling of every two rows of a task whether they belong to the same class."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.nn.auxiliary.base import Auxiliary, EncodedBatch, mean_where
from omnishot.nn.network import Network


class Sigmoid(Auxiliary):
    """Of every two cells of unlike inputs: do they belong together? A logistic regression on their cosine.

    Scale and bias are learned. No softmax over the rows: each pair is judged for itself. Rows of the same class belong
    together; where a number is predicted, only a row's own cells do. Pairs that do and pairs that do not weigh alike,
    whatever the number of classes; published, every pair weighs the same, of thousands in a batch.

    Paper: Zhai et al., Sigmoid Loss for Language Image Pre-Training, ICCV 2023
    """

    def __init__(self, network: Network):
        super().__init__(network)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, network: Network, seen: EncodedBatch) -> Tensor:
        losses = []
        for one, other, both, belongs in seen.pairs():
            score = F.normalize(one, dim=-1) @ F.normalize(other, dim=-1).mT * self.log_scale.exp() + self.bias
            right, wrong = -F.logsigmoid(score), -F.logsigmoid(-score)
            losses.append(mean_where(right, belongs) / 2 + mean_where(wrong, both & ~belongs) / 2)
        return torch.stack(losses).mean(0)
