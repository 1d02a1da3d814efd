"""Training of the imputer `impute` on embeddings that are there."""

from __future__ import annotations

import torch
from torch import Tensor

from omnishot.errors import UsageError
from omnishot.nn.auxiliary.base import Auxiliary, EncodedBatch, mean_where
from omnishot.nn.imputation.impute import Impute
from omnishot.nn.layers import mask
from omnishot.nn.network import Network


class Reconstruct(Auxiliary):
    """Gaussian log-loss of every present embedding, guessed from the row's other ones.

    The embeddings to be guessed are taken as they are: no gradient makes them easier to guess.

    Paper: Ma et al., SMIL: Multimodal Learning with Severely Missing Modality, AAAI 2021
    """

    def __init__(self, network: Network):
        super().__init__(network)
        if not isinstance(network.imputer, Impute):
            raise UsageError("auxiliary 'reconstruct' trains what stands for absent inputs: it needs imputation='impute'")

    def forward(self, network: Network, seen: EncodedBatch) -> Tensor:
        assert isinstance(network.imputer, Impute)
        losses = []
        for i in range(seen.present.shape[-1]):
            others = seen.present & (torch.arange(seen.present.shape[-1], device=seen.present.device) != i)
            mean, log_variance = (g[..., i, :] for g in network.imputer.guess(mask(seen.embeddings, others), others))
            off = seen.embeddings[..., i, :].detach() - mean
            loss = (off.square() * (-log_variance).exp() + log_variance).mean(-1) / 2
            losses.append(mean_where(loss, seen.present[..., i] & others.any(-1)))
        return torch.stack(losses).mean(0)
