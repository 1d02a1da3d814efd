"""Alignment by a contrastive loss among the rows of a task."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.nn.auxiliary.base import Auxiliary, EncodedBatch, mean_where
from omnishot.nn.network import Network


class InfoNCE(Auxiliary):
    """Contrastive loss between inputs: from a row's embedding of one input, find the matching ones of another input.

    Embeddings are compared by their cosine over a learned temperature, in both directions between every two inputs, and
    the softmax runs over the rows of the task. Rows of the same class match (several matches have equal weight, as in
    supervised contrastive learning); in regression only the cells of one row match.

    Paper: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021
    """

    def __init__(self, network: Network):
        super().__init__(network)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def forward(self, network: Network, batch: EncodedBatch) -> Tensor:
        losses = []
        for first, second, both, match in batch.pairs():
            cosine = F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).mT
            scores = torch.where(both, cosine * self.log_scale.exp(), torch.finfo(cosine.dtype).min)
            log_p = torch.where(match, scores.log_softmax(-1), scores.new_zeros(()))
            matches = match.sum(-1)
            losses.append(mean_where(-log_p.sum(-1) / matches.clamp(min=1), matches > 0))
        return torch.stack(losses).mean(0)
