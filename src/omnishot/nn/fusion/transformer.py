"""Fusion by a transformer over all inputs' tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.nn.fusion.base import Fusion
from omnishot.nn.layers import LayerNorm, TransformerBlock, masked_mean


class Transformer(Fusion):
    """The tokens of all inputs attend to each other, and an additional token reads out the result.

    A token is an embedding plus a learned vector of its input. As published, all modalities are in one stream with
    attention across modalities, a vector for each kind of token, and one read-out token. In the paper the tokens are
    the words and patches of one picture, all present, and the read-out token is initialised to a learned vector alone.
    Here no token attends to absent tokens, and the mean of the present ones is added to the read-out token, since few
    training steps on little data do not learn to compute it.

    Args:
        layers: transformer blocks.
        heads: of their attention; the width must be a multiple.

    Paper: Kim et al., ViLT: Vision-and-Language Transformer Without Convolution or Region Supervision, ICML 2021
    """

    def __init__(self, inputs: int, dim: int, *, layers: int = 2, heads: int = 4):
        super().__init__()
        if layers < 1:
            raise UsageError(f"a transformer of {layers} layers: use 1 or more")
        self.positions = nn.Parameter(0.02 * torch.randn(inputs, dim))
        self.reader = nn.Parameter(0.02 * torch.randn(dim))
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads) for _ in range(layers))
        self.norm = LayerNorm(dim)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        x, here = self._begin(embeddings, present)
        for block in self.blocks[:-1]:
            x = block(x, here)
        return self.norm(self.blocks[-1](x, here, 1).squeeze(-2))

    def fuse_tokens(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The features `[..., dim]`, and the tokens `[..., tokens, dim]` after all blocks."""
        x, here = self._begin(tokens, present)
        for block in self.blocks:
            x = block(x, here)
        x = self.norm(x)
        return x[..., 0, :], x[..., 1:, :]

    def _begin(self, embeddings: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens with the read-out token, and which may be attended to."""
        reader = (masked_mean(embeddings, present) + self.reader).unsqueeze(-2)
        x = torch.cat([reader, embeddings + self.positions], -2)
        return x, torch.cat([torch.ones_like(present[..., :1]), present], -1)
