"""Fusion by message passing on a learned graph."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.nn.fusion.base import Fusion, shares
from omnishot.nn.layers import LayerNorm, mask
from omnishot.nn.linear import Linear


class Graph(Fusion):
    """Present inputs are the nodes of a graph with learned edges; after rounds of messages they are read out.

    A node is initialised to the input's embedding plus a learned vector of the input. The strength of the edge between
    two nodes, 0…1, is a sigmoid of the product of their keys, so it depends on the content and on the input, and all
    edges of a node may be weak, unlike in a softmax over its neighbours. In a round, each node adds a linear map of the
    mean of itself and its neighbours, weighted by the edges. A softmax over the nodes present weighs them in the
    read-out.

    The paper defines the scheme (message, update, read-out) for a given graph, the bonds of a molecule. The mean that
    includes the node itself is that of Kipf & Welling (2017).

    Args:
        rounds: of messages.

    Paper: Gilmer et al., Neural Message Passing for Quantum Chemistry, ICML 2017
    """

    def __init__(self, inputs: int, dim: int, *, rounds: int = 2):
        super().__init__()
        if rounds < 1:
            raise UsageError(f"messages in {rounds} rounds: use 1 or more")
        self.positions = nn.Parameter(0.02 * torch.randn(inputs, dim))
        self.keys = nn.ModuleList(Linear(dim, dim) for _ in range(rounds))
        self.messages = nn.ModuleList(Linear(dim, dim) for _ in range(rounds))
        self.norms = nn.ModuleList(LayerNorm(dim) for _ in range(rounds))
        self.score = Linear(dim, 1)

    def adjacency(self, nodes: Tensor, present: Tensor, turn: int = 0) -> Tensor:
        """The edges `[..., inputs, inputs]` of nodes `[..., inputs, dim]`: symmetric, 0…1, 1 on the diagonal.

        Absent nodes have no edges.
        """
        keys = self.keys[turn](nodes)
        edges = torch.sigmoid(keys @ keys.transpose(-1, -2) * keys.shape[-1] ** -0.5)
        itself = torch.eye(edges.shape[-1], dtype=torch.bool, device=edges.device)
        both = present.unsqueeze(-1) & present.unsqueeze(-2)
        return mask(torch.where(itself, 1.0, edges), both)

    def nodes(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """The nodes after all rounds, `[..., inputs, dim]`, zero where absent."""
        x = mask(embeddings + self.positions, present)
        for turn, (message, norm) in enumerate(zip(self.messages, self.norms, strict=True)):
            normed = mask(norm(x), present)
            edges = self.adjacency(normed, present, turn)
            around = edges @ normed / edges.sum(-1, keepdim=True).clamp(min=1)
            x = mask(x + F.gelu(message(around)), present)
        return x

    def weights(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """The weight of each node in the read-out, `[..., inputs]`: zero where absent, else of sum one."""
        return self._weights(self.nodes(embeddings, present), present)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        nodes = self.nodes(embeddings, present)
        return (self._weights(nodes, present).unsqueeze(-1) * nodes).sum(-2)

    def _weights(self, nodes: Tensor, present: Tensor) -> Tensor:
        return shares(self.score(nodes).squeeze(-1), present)
