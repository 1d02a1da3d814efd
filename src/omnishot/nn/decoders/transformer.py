"""Texts by a transformer."""

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
    """Every token attends to the tokens before it and to the memory. The state is the cache of keys and values.

    Layers are normalised before they act, not after as in the paper: this trains without a warmup (Xiong et al., On
    Layer Normalization in the Transformer Architecture, ICML 2020).

    Args:
        layers: blocks.
        heads: of their attention; the width must be a multiple.

    Paper: Vaswani et al., Attention Is All You Need, NeurIPS 2017
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
        layers: int = 2,
        heads: int = 4,
    ):
        super().__init__(dim, vocabulary, new_words, initial, keep_texts)
        if layers < 1:
            raise UsageError(f"a decoder of {layers} layers: use 1 or more")
        self.positions = nn.Parameter(0.02 * torch.randn(longest, dim))
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(layers))

    def project_memory(self, memory: Tensor, present: Tensor) -> Any:
        by_block = [block.project_memory(memory.unsqueeze(-3)) for block in self.blocks]  # type: ignore[operator]
        return {"memory": by_block, "present": present.unsqueeze(-2)}

    def initial_state(self, projected: Any) -> Any:
        keys = projected["memory"][0][0]
        empty = keys.new_zeros(*keys.shape[:-2], 0, keys.shape[-1])
        return [(empty, empty) for _ in self.blocks]

    def step(self, projected: Any, state: Any, x: Tensor, position: int) -> tuple[Tensor, Any]:
        h, state = self._run(projected, state, (x + self.positions[position]).unsqueeze(-2))
        return h.squeeze(-2), state

    def hidden_states(self, projected: Any, x: Tensor) -> Tensor:
        return self._run(projected, self.initial_state(projected), x + self.positions[: x.shape[-2]])[0]

    def _run(self, projected: Any, cache: list[KeysValues], x: Tensor) -> tuple[Tensor, list[KeysValues]]:
        updated = []
        for block, past, memory in zip(self.blocks, cache, projected["memory"], strict=True):
            x, keys_values = block(x, past, memory, projected["present"])
            updated.append(keys_values)
        return x, updated


class Block(nn.Module):
    """Causal self-attention, cross-attention to the memory, a perceptron; each after a norm, with a skip connection."""

    def __init__(self, dim: int, heads: int, expand: int = 2):
        super().__init__()
        check_heads(dim, heads)
        self.heads = heads
        self.norm1, self.norm2, self.norm3 = (LayerNorm(dim) for _ in range(3))
        self.qkv, self.out = Linear(dim, 3 * dim), Linear(dim, dim)
        self.query, self.memory, self.cross_out = Linear(dim, dim), Linear(dim, 2 * dim), Linear(dim, dim)
        # Cross-attention contributes nothing at the start: as noise it would disturb the first steps of language
        # modelling, which would learn to ignore the encoders before they are of use.
        nn.init.zeros_(self.cross_out.weight)
        self.mlp = nn.Sequential(Linear(dim, expand * dim), nn.GELU(), Linear(expand * dim, dim))

    def project_memory(self, memory: Tensor) -> KeysValues:
        """Keys and values of the memory `[…, M, dim]`."""
        return tuple(self.memory(memory).chunk(2, -1))

    def forward(self, x: Tensor, past: KeysValues, memory: KeysValues, present: Tensor) -> tuple[Tensor, KeysValues]:
        """Tokens `[R, S, L, dim]` that follow those of `past`, and the keys and values of past and new tokens.

        Args:
            past: keys and values of the tokens before.
            memory: keys and values of the memory.
            present: tokens of the memory to attend to, bool `[R, 1, M]`.
        """
        q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        before = past[0].shape[-2]
        if before:
            k, v = torch.cat([past[0], k], -2), torch.cat([past[1], v], -2)
        n = x.shape[-2]
        causal = torch.ones(n, before + n, dtype=torch.bool, device=x.device).tril(before) if n > 1 else None
        x = x + self.out(attend(q, k, v, self.heads, keep=causal))
        context = attend(self.query(self.norm2(x)), *memory, self.heads, keep=present[..., None, None, :])
        x = x + self.cross_out(context)
        return x + self.mlp(self.norm3(x)), (k, v)
