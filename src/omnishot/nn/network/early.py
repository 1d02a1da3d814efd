"""Early fusion: the plain features of all inputs are concatenated and read by one encoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.modality.base import Modality
from omnishot.nn.layers import LayerNorm
from omnishot.nn.linear import Linear
from omnishot.nn.network.base import EARLY, FusionSettings, Network
from omnishot.nn.network.input_encoders import InputEncoders


class EarlyFusion(Network):
    """Plain features (pixels, log-mel bands, token counts, numbers) of all inputs through a perceptron of two layers.

    It has no embedding of a single input. The encoders learn nothing here; they compute the plain features.

    Paper: Baltrušaitis et al., Multimodal Machine Learning: A Survey and Taxonomy, TPAMI 2019, §5.1 (early fusion)
    """

    level = EARLY
    has_embeddings = False
    one_token_per_input = False

    def __init__(self, modalities: Mapping[str, Modality], encoders: InputEncoders, settings: FusionSettings):
        super().__init__(modalities, encoders, settings)
        blanks = [modality.blank() for modality in modalities.values()]
        widths = [self.encoder(i).bare().raw(blank).shape[-1] for i, blank in enumerate(blanks)]
        self.fusion, self.out = FeaturePerceptron(sum(widths), len(widths), settings.dim), settings.dim

    def features(self, rows: Rows) -> Tensor:
        return self.fusion(self.raw(rows), rows.present)

    def input_modules(self) -> dict[str, nn.Module]:
        return {"fusion": self.fusion}


class FeaturePerceptron(nn.Module):
    """A perceptron of two layers that reads all plain features and which inputs are present."""

    def __init__(self, features: int, inputs: int, dim: int):
        super().__init__()
        self.layers = nn.Sequential(
            Linear(features + inputs, 2 * dim), LayerNorm(2 * dim), nn.GELU(), Linear(2 * dim, dim), LayerNorm(dim)
        )

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """`features` `[rows, features]`, zero where absent; `present` bool `[rows, inputs]` -> `[rows, dim]`."""
        return self.layers(torch.cat([features, present.to(features.dtype)], -1))
