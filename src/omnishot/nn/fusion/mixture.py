"""Fusion by a sparse mixture of experts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.nn.fusion.base import Fusion, each
from omnishot.nn.layers import mask


class Mixture(Fusion):
    """A few of several experts fuse a row; a router selects them by the row's content and its present inputs.

    An expert is a perceptron with a hidden layer that reads all embeddings and the presence flags. A linear router
    scores the experts from the same values. The `active` experts with the highest scores are weighted by a softmax of
    their scores, and the others have weight zero. Every expert is computed for every row, so sparsity divides the work
    among experts but saves no time; with a few small experts, selecting rows would cost more.

    The published router adds noise, and a loss for uneven loads. This one adds no noise, since predictions would be
    random; the loss is the auxiliary objective `balance`. Without it, training may assign most rows to one or two
    experts, especially where most rows have the same inputs. `gates` shows the loads.

    Args:
        experts: number of experts.
        active: number of experts per row.

    Paper: Shazeer et al., Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts Layer, ICLR 2017
    """

    def __init__(self, inputs: int, dim: int, *, experts: int = 4, active: int = 2):
        super().__init__()
        if not 1 <= active <= experts:
            raise UsageError(f"{active} active of {experts} experts: use 1 or more, and no more than there are")
        self.experts, self.active = experts, active
        spread = (inputs * dim) ** -0.5
        self.route = nn.Parameter(torch.randn(inputs, dim, experts) * spread)
        self.route_present = nn.Parameter(torch.randn(inputs, experts))
        self.route_bias = nn.Parameter(torch.zeros(experts))
        self.read = nn.Parameter(torch.randn(inputs, dim, experts * dim) * spread)
        self.read_present = nn.Parameter(torch.zeros(inputs, experts * dim))
        self.read_bias = nn.Parameter(torch.zeros(experts, dim))
        self.write = nn.Parameter(torch.randn(experts, dim, dim) * dim**-0.5)
        self.write_bias = nn.Parameter(torch.zeros(experts, dim))

    def gates(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """The weight of each expert for a row, `[..., experts]`: `active` are above zero, and their sum is one."""
        scores = _summed(embeddings, present, self.route, self.route_present) + self.route_bias
        best = torch.zeros_like(scores).scatter(-1, scores.topk(self.active).indices, 1.0) > 0
        return mask(torch.where(best, scores, torch.finfo(scores.dtype).min).softmax(-1), best)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        read = _summed(embeddings, present, self.read, self.read_present).unflatten(-1, (self.experts, -1))
        hidden = F.gelu(read + self.read_bias)
        written = torch.einsum("...ed,edo->...eo", hidden, self.write) + self.write_bias
        return (self.gates(embeddings, present).unsqueeze(-1) * written).sum(-2)


def _summed(embeddings: Tensor, present: Tensor, content: Tensor, presence: Tensor) -> Tensor:
    """The output `[..., out]` of a linear layer that reads all embeddings and the presence flags."""
    return (each(embeddings, content) + mask(presence.expand(*present.shape, -1), present)).sum(-2)
