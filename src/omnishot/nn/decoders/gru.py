"""Texts by a recurrent network that attends to the memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from omnishot.nn.attend import attend, check_heads
from omnishot.nn.decoders.base import Decoder
from omnishot.nn.linear import Linear


class GRU(Decoder):
    """Gated recurrent units that attend to the memory before every token.

    The decoder of the paper is an LSTM with attention by a perceptron. This one is a GRU (Cho et al. 2014) with
    attention by inner products, unrolled in Python: `nn.GRU` fails under vmap and cuDNN's has no double backward.

    Args:
        heads: of the attention; the width must be a multiple.

    Paper: Xu et al., Show, Attend and Tell: Neural Image Caption Generation with Visual Attention, ICML 2015
    """

    def __init__(
        self,
        dim: int,
        vocabulary: int,
        new_words: int,
        longest: int,
        initial: str = "prototype",
        keep_texts: bool = False,
        *,
        heads: int = 4,
    ):
        super().__init__(dim, vocabulary, new_words, initial, keep_texts)
        check_heads(dim, heads)
        self.heads = heads
        self.first = Linear(dim, dim)
        self.query, self.memory = Linear(dim, dim), Linear(dim, 2 * dim)
        self.read, self.carry = Linear(2 * dim, 3 * dim), Linear(dim, 3 * dim)
        self.out = Linear(2 * dim, dim)

    def project_memory(self, memory: Tensor, present: Tensor) -> Any:
        keys, values = self.memory(memory.unsqueeze(-3)).chunk(2, -1)
        # The first token of the memory holds the features of the whole row.
        return {"features": memory[..., :1, :], "keys": keys, "values": values, "present": present.unsqueeze(-2)}

    def initial_state(self, projected: Any) -> Any:
        return self.first(projected["features"]).tanh()

    def step(self, projected: Any, state: Any, x: Tensor, position: int) -> tuple[Tensor, Any]:
        h, keep = state.expand_as(x), projected["present"][..., None, None, :]
        query = self.query(h).unsqueeze(-2)
        context = attend(query, projected["keys"], projected["values"], self.heads, keep=keep).squeeze(-2)
        r, z, n = self.read(torch.cat([x, context], -1)).chunk(3, -1)
        hr, hz, hn = self.carry(h).chunk(3, -1)
        z = torch.sigmoid(z + hz)
        h = (1 - z) * torch.tanh(n + torch.sigmoid(r + hr) * hn) + z * h
        return self.out(torch.cat([h, context], -1)), h
