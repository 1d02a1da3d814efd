"""Distillation from rows with all that they have to the same rows with less."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from omnishot.nn.auxiliary.base import Auxiliary, EncodedBatch, mean_where
from omnishot.nn.layers import mask
from omnishot.nn.network import Network


class Distil(Auxiliary):
    """A row's features shall stay what they are when some of its inputs go: one minus the cosine of both.

    The whole row teaches and gets no gradient; the pupil is the same row with a random part of its inputs, at least one
    of those present. Rows with one input only do not count.

    Paper: Hu et al., Knowledge Distillation from Multi-Modal to Mono-Modal Segmentation Networks, MICCAI 2020
    """

    def forward(self, network: Network, seen: EncodedBatch) -> Tensor:
        luck = torch.rand(seen.present.shape, device=seen.present.device)
        luck = torch.where(seen.present, luck, -1.0)
        kept = (luck > 0.5) | (luck == luck.amax(-1, keepdim=True))
        slots = torch.tensor(network.slots, device=seen.here.device)
        here = seen.here & kept.repeat_interleave(slots, -1)
        teacher = network.fuse(seen.parts, seen.here).detach()
        pupil = network.fuse(mask(seen.parts, here), here)
        return mean_where(1 - F.cosine_similarity(pupil, teacher, dim=-1), seen.present.sum(-1) > 1)
