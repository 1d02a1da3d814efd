"""A loss that trains the imputer `impute` on embeddings that are present."""

from __future__ import annotations

import torch
from torch import Tensor

from omnishot.errors import UsageError
from omnishot.nn.auxiliary.base import Auxiliary, EncodedBatch, mean_where
from omnishot.nn.imputation.impute import Impute
from omnishot.nn.layers import mask
from omnishot.nn.network import Network


class Reconstruct(Auxiliary):
    """Gaussian negative log-likelihood of each present embedding under its estimate from the row's other embeddings.

    The estimated embeddings get no gradient: it would make them easier to estimate.

    Paper: Ma et al., SMIL: Multimodal Learning with Severely Missing Modality, AAAI 2021
    """

    def __init__(self, network: Network):
        super().__init__(network)
        imputer_of(network)

    def forward(self, network: Network, batch: EncodedBatch) -> Tensor:
        losses = []
        for i in range(batch.present.shape[-1]):
            others = batch.present & (torch.arange(batch.present.shape[-1], device=batch.present.device) != i)
            mean, log_variance = (
                g[..., i, :] for g in imputer_of(network).estimate(mask(batch.embeddings, others), others)
            )
            off = batch.embeddings[..., i, :].detach() - mean
            loss = (off.square() * (-log_variance).exp() + log_variance).mean(-1) / 2
            losses.append(mean_where(loss, batch.present[..., i] & others.any(-1)))
        return torch.stack(losses).mean(0)


def imputer_of(network: Network) -> Impute:
    """The imputer of a network.

    Raises:
        UsageError: if it is not `impute`.
    """
    if not isinstance(network.imputer, Impute):
        raise UsageError("auxiliary 'reconstruct' trains the imputation of absent inputs: it needs imputation='impute'")
    return network.imputer
