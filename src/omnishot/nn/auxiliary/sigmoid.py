"""Alignment by a binary classification of every pair of rows of a task."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.nn.auxiliary.base import Auxiliary, EncodedBatch, mean_where
from omnishot.nn.network import Network


class Sigmoid(Auxiliary):
    """Whether two cells of different inputs match, by logistic regression on the cosine of their embeddings.

    Scale and bias are learned. There is no softmax over the rows: each pair has a loss of its own. Rows of the same
    class match; in regression only the cells of one row do. Matching and other pairs have equal total weight, whatever
    the number of classes; in the paper every pair has the same weight, of thousands in a batch.

    Paper: Zhai et al., Sigmoid Loss for Language Image Pre-Training, ICCV 2023
    """

    def __init__(self, network: Network):
        super().__init__(network)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, network: Network, batch: EncodedBatch) -> Tensor:
        losses = []
        for first, second, both, match in batch.pairs():
            score = F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).mT * self.log_scale.exp() + self.bias
            positive, negative = -F.logsigmoid(score), -F.logsigmoid(-score)
            losses.append(mean_where(positive, match) / 2 + mean_where(negative, both & ~match) / 2)
        return torch.stack(losses).mean(0)
