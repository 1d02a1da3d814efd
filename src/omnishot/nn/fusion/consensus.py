"""Fusion by the vector with the least mean squared distance to all embeddings present."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.nn.fusion.base import Fusion
from omnishot.nn.layers import mask


def consensus(embeddings: Tensor, present: Tensor, weights: Tensor) -> Tensor:
    """h* = argmin_h Σ wᵢ ‖fᵢ − h‖² over the inputs present: their weighted mean; zero where no input is present.

    Args:
        embeddings: f, `[..., inputs, dim]`.
        present: bool `[..., inputs]`.
        weights: w, above zero, `[inputs]` or by row `[..., inputs]`.
    """
    return (_shares(present, weights).unsqueeze(-1) * mask(embeddings, present)).sum(-2)


class Consensus(Fusion):
    """The vector h that minimises Σ wᵢ ‖gᵢ − h‖² over the inputs present, in closed form.

    This is Gower's consensus of several configurations. Gower first rotates them to fit each other; here the encoders
    learn to fit, and the inputs may be weighted.

    Args:
        learned: whether the weight of each input, always positive, is learned; else all weights are 1.

    Paper: Gower, Generalized Procrustes Analysis, Psychometrika 1975
    """

    def __init__(self, inputs: int, dim: int, *, learned: bool = True):
        super().__init__()
        if learned:
            self.log_weight = nn.Parameter(torch.zeros(inputs))
        self.learned = learned

    def weights(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """The normalised weight of each input, wᵢ / Σ w over the inputs present, `[..., inputs]`, zero where absent."""
        return _shares(present, self._weights(embeddings))

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        return consensus(embeddings, present, self._weights(embeddings))

    def _weights(self, embeddings: Tensor) -> Tensor:
        """w `[inputs]`, up to a common factor, which does not change the result."""
        return self.log_weight.softmax(-1) if self.learned else embeddings.new_ones(embeddings.shape[-2])


def _shares(present: Tensor, weights: Tensor) -> Tensor:
    here = torch.where(present, weights, 0.0)
    total = here.sum(-1, keepdim=True)
    return here / torch.where(total > 0, total, 1.0)
