"""Sentences by a recurrent network that attends to the memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from omnishot.nn.attend import attend, check_heads
from omnishot.nn.decoders.base import Decoder
from omnishot.nn.linear import Linear


class GRU(Decoder):
    """Gated recurrent units that look at the memory before every token.

    The published decoder is an LSTM whose attention is a perceptron's; here it is a GRU's (Cho et al. 2014), with
    attention by inner products, unrolled by hand: `nn.GRU` fails under vmap and cuDNN's has no double backward.

    Args:
        heads: of the attention; the width must be a multiple.

    Paper: Xu et al., Show, Attend and Tell: Neural Image Caption Generation with Visual Attention, ICML 2015
    """

    def __init__(self, dim: int, vocabulary: int, new: int, longest: int, words: str = "prototype", *, heads: int = 4):
        super().__init__(dim, vocabulary, new, words)
        check_heads(dim, heads)
        self.heads = heads
        self.first = Linear(dim, dim)
        self.ask, self.memory = Linear(dim, dim), Linear(dim, 2 * dim)
        self.read, self.carry = Linear(2 * dim, 3 * dim), Linear(dim, 3 * dim)
        self.out = Linear(2 * dim, dim)

    def look(self, memory: Tensor, present: Tensor) -> Any:
        keys, values = self.memory(memory.unsqueeze(-3)).chunk(2, -1)
        # The memory's first slot tells of the whole row.
        return {"row": memory[..., :1, :], "keys": keys, "values": values, "present": present.unsqueeze(-2)}

    def begin(self, looked: Any) -> Any:
        return self.first(looked["row"]).tanh()

    def step(self, looked: Any, state: Any, said: Tensor, position: int) -> tuple[Tensor, Any]:
        h, keep = state.expand_as(said), looked["present"][..., None, None, :]
        asked = self.ask(h).unsqueeze(-2)
        seen = attend(asked, looked["keys"], looked["values"], self.heads, keep=keep).squeeze(-2)
        r, z, n = self.read(torch.cat([said, seen], -1)).chunk(3, -1)
        hr, hz, hn = self.carry(h).chunk(3, -1)
        z = torch.sigmoid(z + hz)
        h = (1 - z) * torch.tanh(n + torch.sigmoid(r + hr) * hn) + z * h
        return self.out(torch.cat([h, seen], -1)), h
