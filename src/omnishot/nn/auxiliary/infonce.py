"""Alignment by telling, among the rows of a task, which belong to the same class."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.nn.auxiliary.base import Auxiliary, EncodedBatch, mean_where
from omnishot.nn.network import Network


class InfoNCE(Auxiliary):
    """Contrast between inputs: from a row's embedding of one input, find those of another that belong to it.

    Embeddings are compared by their cosine over a learned temperature, in both directions between every two inputs, and
    the softmax runs over the rows of the task. Rows of the same class belong together (several right answers count
    alike, as in supervised contrast); where a number is predicted, only a row's own cells do.

    Paper: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021
    """

    def __init__(self, network: Network):
        super().__init__(network)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def forward(self, network: Network, seen: EncodedBatch) -> Tensor:
        losses = []
        for one, other, both, belongs in seen.pairs():
            cosine = F.normalize(one, dim=-1) @ F.normalize(other, dim=-1).mT
            scores = torch.where(both, cosine * self.log_scale.exp(), torch.finfo(cosine.dtype).min)
            log_p = torch.where(belongs, scores.log_softmax(-1), scores.new_zeros(()))
            right = belongs.sum(-1)
            losses.append(mean_where(-log_p.sum(-1) / right.clamp(min=1), right > 0))
        return torch.stack(losses).mean(0)
