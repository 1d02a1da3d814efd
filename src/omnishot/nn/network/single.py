"""A network of a single input, with nothing to fuse."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.modality.base import Modality
from omnishot.nn.layers import mask
from omnishot.nn.network.base import INTERMEDIATE, FusionSettings, Network
from omnishot.nn.network.input_encoders import InputEncoders, encode_present


class SingleInput(Network):
    """The encoder of one input alone, as in published few-shot networks: its embedding is the features."""

    level = INTERMEDIATE

    def __init__(self, modalities: Mapping[str, Modality], encoders: InputEncoders, settings: FusionSettings):
        super().__init__(modalities, encoders, settings)
        self.out = self.encoder(0).out

    def features(self, rows: Rows) -> Tensor:
        return self.fuse(*self.tokens(rows))

    def tokens(self, rows: Rows) -> tuple[Tensor, Tensor]:
        (name,) = self.names
        return self.embedding(name, rows.inputs[name], rows.present[..., 0]).unsqueeze(-2), rows.present

    def fuse(self, tokens: Tensor, present: Tensor) -> Tensor:
        return tokens.squeeze(-2)

    def embedding(self, name: str, cells: Tensor, present: Tensor) -> Tensor:
        x = encode_present(self.encoder(self.names.index(name)), mask(cells, present), present)
        return mask(x, present)
