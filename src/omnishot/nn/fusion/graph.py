"""Fusion by messages along a learned graph."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.nn.fusion.base import Fusion, shares
from omnishot.nn.layers import LayerNorm, mask
from omnishot.nn.linear import Linear


class Graph(Fusion):
    """Present inputs are the nodes of a graph whose edges are learned; after some rounds of messages they are read out.

    A node begins as the embedding and the learned vector of its slot. How strong the edge between two nodes is, 0…1,
    is a sigmoid of the product of their keys, so content and slot decide, and no edge is forced as a softmax over
    neighbours would. In a round each node adds what a linear layer makes of the mean of itself and its neighbours,
    weighted by the edges. A softmax over the nodes present reads them out.

    The paper's frame (message, update, read-out), which takes the graph as given, a molecule's bonds. The mean with
    the node itself is that of Kipf & Welling (2017).

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
        """Edges `[..., inputs, inputs]` of nodes `[..., inputs, dim]` in a round: symmetric, 0…1, 1 to itself.

        Absent nodes have none.
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
        """How much each node counts in the read-out, `[..., inputs]`: zero where absent, of sum one if any is there."""
        return self._weights(self.nodes(embeddings, present), present)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        nodes = self.nodes(embeddings, present)
        return (self._weights(nodes, present).unsqueeze(-1) * nodes).sum(-2)

    def _weights(self, nodes: Tensor, present: Tensor) -> Tensor:
        return shares(self.score(nodes).squeeze(-1), present)
