"""Token fusion: the parts of all inputs are fused."""

from __future__ import annotations

import torch
from torch import Tensor

from omnishot.nn.layers import masked_mean
from omnishot.nn.network.base import TOKEN
from omnishot.nn.network.fused import FusedNetwork


class TokenFusion(FusedNetwork):
    """Each part of an input is a token: a patch of an image, a time step of a sound or series, a word of a text.

    The embedding of an input is the mean of its tokens.

    Paper: Kim et al., ViLT: Vision-and-Language Transformer Without Convolution or Region Supervision, ICML 2021
    """

    level = TOKEN
    one_token_per_input = False

    @property
    def time_steps(self) -> int:
        return sum(self.tokens_per_input)

    def pool_tokens(self, tokens: Tensor, present: Tensor) -> Tensor:
        by_input = zip(tokens.split(self.tokens_per_input, -2), present.split(self.tokens_per_input, -1), strict=True)
        return torch.stack([masked_mean(own, here) for own, here in by_input], -2)

    def _count_tokens(self) -> tuple[list[int], list[int]]:
        with torch.no_grad():
            parts = [self.encoder(i).parts(m.blank())[0] for i, m in enumerate(self.modalities.values())]
        return [x.shape[-2] for x in parts], [x.shape[-1] for x in parts]

    def _encode(self, i: int, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        x, real = self.encoder(i).parts(x)
        here = present.unsqueeze(-1)
        return x, here.expand(x.shape[:-1]) if real is None else here & real
