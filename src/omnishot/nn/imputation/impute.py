"""Imputation from the present inputs of a row."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.nn.linear import Linear


class Impute(nn.Module):
    """A Gaussian over the embedding of each absent input, given those present: its mean, shrunk by its variance.

    The mean is a mixture of the input's priors, vectors that all tasks share. A perceptron that reads the present
    embeddings gives the weights of the mixture and, for every dimension, the variance σ². Embeddings have unit variance
    after their norm, so the imputed value is mean / (1 + σ²): an uncertain dimension has little effect. The auxiliary
    objective `reconstruct` trains it on inputs that are present; an inner loop adapts it to each task.

    As in SMIL, missing features are mixed from priors of the modality, with an uncertainty. SMIL takes the centres of a
    k-means over complete rows as priors and samples the weights; here the priors are learned and nothing is sampled, so
    that the same row always gets the same prediction.

    Paper: Ma et al., SMIL: Multimodal Learning with Severely Missing Modality, AAAI 2021
    """

    def __init__(self, inputs: int, dim: int, priors: int = 16):
        super().__init__()
        self.priors = nn.Parameter(torch.randn(inputs, priors, dim))
        self.read = Linear(inputs * (dim + 1), 2 * dim)
        self.mix = Linear(2 * dim, inputs * priors)
        self.spread = Linear(2 * dim, inputs * dim)

    def estimate(self, embeddings: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log σ², both `[..., inputs, dim]`, of every input, from the present embeddings (zero elsewhere)."""
        present_embeddings = torch.cat([embeddings.flatten(-2), present.to(embeddings.dtype)], -1)
        h = F.gelu(self.read(present_embeddings))
        inputs, priors, dim = self.priors.shape
        weights = self.mix(h).unflatten(-1, (inputs, priors)).softmax(-1)
        mean = torch.einsum("...ip,ipd->...id", weights, self.priors)
        return mean, self.spread(h).unflatten(-1, (inputs, dim)).clamp(-6, 6)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """`embeddings` `[..., inputs, dim]` with those that are not `present` (bool `[..., inputs]`) imputed."""
        mean, log_variance = self.estimate(embeddings, present)
        return torch.where(present[..., None], embeddings, mean / (1 + log_variance.exp()))
