"""Alignment by nearness to the embedding on which a row's inputs agree best."""

from __future__ import annotations

from torch import Tensor

from omnishot.nn.auxiliary.base import Auxiliary, EncodedBatch, mean_where
from omnishot.nn.fusion.consensus import consensus
from omnishot.nn.network import Network


class Agreement(Auxiliary):
    """Mean square distance of a row's embeddings to their consensus h* = argmin_h Σ‖fᵢ − h‖².

    The consensus is the mean of those present, in closed form; rows with one input only do not count. Alone it would be
    content with one point for all rows: it is meant beside a loss that tells classes apart.

    Paper: Kettenring, Canonical Analysis of Several Sets of Variables, Biometrika 1971 (MAXVAR)
    """

    def forward(self, network: Network, seen: EncodedBatch) -> Tensor:
        ones = seen.embeddings.new_ones(seen.present.shape[-1])
        off = seen.embeddings - consensus(seen.embeddings, seen.present, ones)[..., None, :]
        several = seen.present.sum(-1, keepdim=True) > 1
        return mean_where(off.square().mean(-1), seen.present & several)
