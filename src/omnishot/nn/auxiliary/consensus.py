"""Alignment by the distance of a row's embeddings from their mean."""

from __future__ import annotations

from torch import Tensor

from omnishot.nn.auxiliary.base import Auxiliary, EncodedBatch, mean_where
from omnishot.nn.fusion.consensus import consensus
from omnishot.nn.network import Network


class Agreement(Auxiliary):
    """Mean square distance of a row's embeddings to their consensus h* = argmin_h Σ‖fᵢ − h‖².

    The consensus is the mean of the embeddings present, in closed form; rows with one input only do not count. The loss
    alone is minimal when all rows have the same embedding: combine it with a loss that separates the classes.

    Paper: Kettenring, Canonical Analysis of Several Sets of Variables, Biometrika 1971 (MAXVAR)
    """

    def forward(self, network: Network, batch: EncodedBatch) -> Tensor:
        ones = batch.embeddings.new_ones(batch.present.shape[-1])
        off = batch.embeddings - consensus(batch.embeddings, batch.present, ones)[..., None, :]
        several = batch.present.sum(-1, keepdim=True) > 1
        return mean_where(off.square().mean(-1), batch.present & several)
