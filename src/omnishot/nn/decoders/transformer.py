"""Sentences by a transformer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.nn.attend import attend, check_heads
from omnishot.nn.decoders.base import Decoder
from omnishot.nn.layers import LayerNorm
from omnishot.nn.linear import Linear

#: Keys and values `[…, tokens, dim]`.
KeysValues = tuple[Tensor, Tensor]


class Transformer(Decoder):
    """Every token attends to those before it and to the memory.

    Layers normalise before they act, not after as published, which trains without a warmup (Xiong et al., On Layer
    Normalization in the Transformer Architecture, ICML 2020).

    Args:
        layers: blocks.
        heads: of their attention; the width must be a multiple.

    Paper: Vaswani et al., Attention Is All You Need, NeurIPS 2017
    """

    def __init__(
        self,
        dim: int,
        vocabulary: int,
        new: int,
        longest: int,
        words: str = "prototype",
        *,
        layers: int = 2,
        heads: int = 4,
    ):
        super().__init__(dim, vocabulary, new, words)
        if layers < 1:
            raise UsageError(f"a decoder of {layers} layers: use 1 or more")
        self.positions = nn.Parameter(0.02 * torch.randn(longest, dim))
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(layers))

    def look(self, memory: Tensor, present: Tensor) -> Any:
        of_memory = [block.look(memory.unsqueeze(-3)) for block in self.blocks]  # type: ignore[operator]
        return {"memory": of_memory, "present": present.unsqueeze(-2)}

    def begin(self, looked: Any) -> Any:
        keys = looked["memory"][0][0]
        none = keys.new_zeros(*keys.shape[:-2], 0, keys.shape[-1])
        return [(none, none) for _ in self.blocks]

    def step(self, looked: Any, state: Any, said: Tensor, position: int) -> tuple[Tensor, Any]:
        h, state = self._run(looked, state, (said + self.positions[position]).unsqueeze(-2))
        return h.squeeze(-2), state

    def states(self, looked: Any, said: Tensor) -> Tensor:
        return self._run(looked, self.begin(looked), said + self.positions[: said.shape[-2]])[0]

    def _run(self, looked: Any, past: list[KeysValues], x: Tensor) -> tuple[Tensor, list[KeysValues]]:
        state = []
        for block, before, of_memory in zip(self.blocks, past, looked["memory"], strict=True):
            x, seen = block(x, before, of_memory, looked["present"])
            state.append(seen)
        return x, state


class Block(nn.Module):
    """Attention to earlier tokens, attention to the memory, a perceptron; each after a norm, added to what came in."""

    def __init__(self, dim: int, heads: int, expand: int = 2):
        super().__init__()
        check_heads(dim, heads)
        self.heads = heads
        self.norm1, self.norm2, self.norm3 = (LayerNorm(dim) for _ in range(3))
        self.qkv, self.out = Linear(dim, 3 * dim), Linear(dim, dim)
        self.ask, self.memory, self.answer = Linear(dim, dim), Linear(dim, 2 * dim), Linear(dim, dim)
        # What is seen counts for nothing at the start. As noise it would be in the way of learning to speak, and what
        # the encoder sees would be levelled before it is of use.
        nn.init.zeros_(self.answer.weight)
        self.mlp = nn.Sequential(Linear(dim, expand * dim), nn.GELU(), Linear(expand * dim, dim))

    def look(self, memory: Tensor) -> KeysValues:
        """Keys and values of the memory `[…, M, dim]`."""
        return tuple(self.memory(memory).chunk(2, -1))

    def forward(self, x: Tensor, past: KeysValues, of_memory: KeysValues, present: Tensor) -> tuple[Tensor, KeysValues]:
        """Tokens `[R, S, L, dim]` after those of `past`; the keys and values of all of them with it."""
        q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        before = past[0].shape[-2]
        if before:
            k, v = torch.cat([past[0], k], -2), torch.cat([past[1], v], -2)
        n = x.shape[-2]
        earlier = torch.ones(n, before + n, dtype=torch.bool, device=x.device).tril(before) if n > 1 else None
        x = x + self.out(attend(q, k, v, self.heads, keep=earlier))
        found = attend(self.ask(self.norm2(x)), *of_memory, self.heads, keep=present[..., None, None, :])
        x = x + self.answer(found)
        return x + self.mlp(self.norm3(x)), (k, v)
