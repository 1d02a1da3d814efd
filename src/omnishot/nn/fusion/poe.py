"""Fusion by a product of Gaussian experts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.nn.fusion.base import Fusion, each
from omnishot.nn.layers import mask


class ProductOfExperts(Fusion):
    """Every input gives a Gaussian (mean and precision); the result is the mean of their product with a prior.

    The product is defined for any subset of inputs: that of the experts present and of the prior, a standard normal.
    For each input one linear layer gives the means (initialised to the embeddings themselves) and another the
    logarithms of the precisions (initialised to 0, the precision of the prior).

    The paper uses the product as the posterior of a variational autoencoder, trained by reconstructing the inputs from
    samples. Here learners read its mean and it is trained through them, so a precision is the weight of an input in the
    fusion, not an estimate of its error.

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
        """The precision (1 / variance) of the product, `[..., dim]`: 1, that of the prior, where nothing is present."""
        return self._logs(embeddings, present).logsumexp(-2).exp()

    def weights(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Each input's fraction of the precision, as a mean over the dimensions, `[..., inputs]`.

        Zero where absent. The fractions and that of the prior sum to one.
        """
        return self._shares(embeddings, present).mean(-1)

    def _logs(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Logarithms of the precisions `[..., 1 + inputs, dim]`, the prior's first."""
        logs = each(embeddings, self.log_precision) + self.log_precision_bias
        logs = torch.where(present.unsqueeze(-1), logs, torch.finfo(logs.dtype).min)
        return torch.cat([torch.zeros_like(logs[..., :1, :]), logs], -2)

    def _shares(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Each input's fraction of the precision, `[..., inputs, dim]`, zero where absent."""
        return mask(self._logs(embeddings, present).softmax(-2)[..., 1:, :], present)
