"""Fusion by a product of Gaussian experts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.nn.fusion.base import Fusion, each
from omnishot.nn.layers import mask


class ProductOfExperts(Fusion):
    """Every input gives a Gaussian, mean and precision; the mean of their product with a prior is the fusion.

    Any subset of inputs has a product: that of the experts present and of the prior, a standard normal. A linear layer
    an input gives the means (at the start the embeddings themselves) and another one the logarithms of the precisions
    (at the start 0, as sure as the prior).

    Published is the posterior of a variational autoencoder, trained by sampling from it to make the inputs again.
    Here its mean is what learners read and it is trained through them, so a precision says how much an input counts
    rather than how likely it errs.

    Paper: Wu & Goodman, Multimodal Generative Models for Scalable Weakly-Supervised Learning, NeurIPS 2018
    """

    def __init__(self, inputs: int, dim: int):
        super().__init__()
        self.mean = nn.Parameter(torch.eye(dim).repeat(inputs, 1, 1))
        self.mean_bias = nn.Parameter(torch.zeros(inputs, dim))
        self.log_precision = nn.Parameter(torch.zeros(inputs, dim, dim))
        self.log_precision_bias = nn.Parameter(torch.zeros(inputs, dim))

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        means = each(embeddings, self.mean) + self.mean_bias
        return (self._shares(embeddings, present) * means).sum(-2)  # the prior's mean is zero

    def precision(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Precision (1 / variance) of the product, `[..., dim]`: 1, the prior's, where nothing is present."""
        return self._logs(embeddings, present).logsumexp(-2).exp()

    def weights(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Each input's share of the precision, the mean over the dimensions, `[..., inputs]`.

        Zero where absent; what is left to one is the prior's.
        """
        return self._shares(embeddings, present).mean(-1)

    def _logs(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Logarithms of the precisions `[..., 1 + inputs, dim]`, the prior's first."""
        logs = each(embeddings, self.log_precision) + self.log_precision_bias
        logs = torch.where(present.unsqueeze(-1), logs, torch.finfo(logs.dtype).min)
        return torch.cat([torch.zeros_like(logs[..., :1, :]), logs], -2)

    def _shares(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Each input's share of the precision, `[..., inputs, dim]`, zero where absent."""
        return mask(self._logs(embeddings, present).softmax(-2)[..., 1:, :], present)
