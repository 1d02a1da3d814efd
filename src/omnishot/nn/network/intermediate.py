"""Intermediate fusion: one embedding of every input."""

from __future__ import annotations

from torch import Tensor

from omnishot.nn.network.base import INTERMEDIATE
from omnishot.nn.network.fused import FusedNetwork
from omnishot.nn.network.input_encoders import encode_present


class IntermediateFusion(FusedNetwork):
    """Each input has one token, its embedding. An absent one is left out by the fusion, or replaced by an imputer.

    Paper: Baltrušaitis et al., Multimodal Machine Learning: A Survey and Taxonomy, TPAMI 2019, §3.1 (joint
    representations)
    """

    level = INTERMEDIATE

    def _count_tokens(self) -> tuple[list[int], list[int]]:
        inputs = range(len(self.names))
        return [1 for _ in inputs], [self.encoder(i).out for i in inputs]

    def _encode(self, i: int, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        return encode_present(self.encoder(i), x, present).unsqueeze(-2), present.unsqueeze(-1)
