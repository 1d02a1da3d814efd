"""Distillation from rows with all of their inputs to the same rows with only some of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from omnishot.nn.auxiliary.base import Auxiliary, EncodedBatch, mean_where
from omnishot.nn.layers import mask
from omnishot.nn.network import Network


class Distil(Auxiliary):
    """One minus the cosine between a row's features from all of its inputs and from some of them.

    The teacher is the whole row and gets no gradient; the student is the same row with a random subset of its inputs,
    at least one of those present. Rows with one input only do not count.

    Paper: Hu et al., Knowledge Distillation from Multi-Modal to Mono-Modal Segmentation Networks, MICCAI 2020
    """

    def forward(self, network: Network, batch: EncodedBatch) -> Tensor:
        draw = torch.rand(batch.present.shape, device=batch.present.device)
        draw = torch.where(batch.present, draw, -1.0)
        kept = (draw > 0.5) | (draw == draw.amax(-1, keepdim=True))
        counts = torch.tensor(network.tokens_per_input, device=batch.tokens_present.device)
        present = batch.tokens_present & kept.repeat_interleave(counts, -1)
        teacher = network.fuse(batch.tokens, batch.tokens_present).detach()
        student = network.fuse(mask(batch.tokens, present), present)
        return mean_where(1 - F.cosine_similarity(student, teacher, dim=-1), batch.present.sum(-1) > 1)
