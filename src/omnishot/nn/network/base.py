"""The base class of networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.modality.base import Modality
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.imputation import MASK
from omnishot.nn.layers import mask
from omnishot.nn.network.input_encoders import InputEncoders

#: Where the inputs of a row are fused.
EARLY, INTERMEDIATE, TOKEN = "early", "intermediate", "token"


@dataclass(frozen=True)
class FusionSettings:
    """How a network fuses its inputs.

    Args:
        name: of the fusion.
        dim: width of the fused embeddings or tokens.
        options: of the fusion.
        imputation: what replaces the embedding of a missing input; `mask`: nothing.
    """

    name: str
    dim: int
    options: Mapping[str, Any] = field(default_factory=dict)
    imputation: str = MASK


class Network(nn.Module):
    """Rows of one task to features `[rows, out]`.

    The content of an absent cell is replaced by zero before its encoder, and its tokens by zero after it, so that it
    changes no result, bit for bit.

    Shape notation in the subclasses: a row has `tokens` vectors of width `dim` that are fused.
    """

    #: The value of the option `level` that builds it.
    level: ClassVar[str]
    #: Whether it has an embedding of every input (`embeddings`).
    has_embeddings: ClassVar[bool] = True
    #: Whether the encoder of every input gives exactly one vector, the input's embedding, before the fusion.
    one_token_per_input: ClassVar[bool] = True

    #: Width of the features.
    out: int
    encoders: nn.ModuleList
    #: By input, the index in `encoders` of the one that reads it.
    reader: list[int]
    #: By input, its number of tokens.
    tokens_per_input: list[int]

    def __init__(self, modalities: Mapping[str, Modality], encoders: InputEncoders, settings: FusionSettings):
        super().__init__()
        self.modalities, self.names = dict(modalities), list(modalities)
        self.encoders, self.reader = nn.ModuleList(encoders.modules), encoders.reader
        self.tokens_per_input = [1] * len(self.names)

    @property
    def transductive(self) -> bool:
        """Whether the features of a query row depend on the other query rows."""
        return any(self.encoder(i).transductive for i in range(len(self.names)))

    @property
    def time_steps(self) -> int:
        """How many tokens of the memory, after the first, are steps along the inputs; 0 where none are."""
        return 0

    def forward(self, rows: Rows) -> Tensor:
        """Features `[rows, out]`, with the hints of the rows added."""
        return add_hint(self.features(rows), rows)

    def features(self, rows: Rows) -> Tensor:
        """Features `[rows, out]` without the hints of the rows."""
        raise NotImplementedError(f"{type(self).__name__}.features")

    def tokens(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """What is fused: tokens `[rows, tokens, dim]`, zero where absent, and which are present, bool `[rows, tokens]`.

        Raises:
            UsageError: if the network has none.
        """
        self._refuse_embeddings()

    def fuse(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Features `[..., out]` of tokens `[..., tokens, dim]`, zero where not `present` (bool `[..., tokens]`).

        Raises:
            UsageError: if the network fuses no tokens.
        """
        self._refuse_embeddings()

    def imputed(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens `[..., tokens, dim]` that the fusion reads, and which count as present: all after imputation."""
        return tokens, present

    def pool_tokens(self, tokens: Tensor, present: Tensor) -> Tensor:
        """The embedding of every input, `[rows, inputs, dim]`, from the result of `tokens`."""
        return tokens

    def embeddings(self, rows: Rows) -> Tensor:
        """The embedding of every input of every row, `[rows, inputs, dim]`, zero where absent.

        Raises:
            UsageError: if the network has none.
        """
        return self.pool_tokens(*self.tokens(rows))

    def embedding(self, name: str, cells: Tensor, present: Tensor) -> Tensor:
        """The embedding `[rows, dim]` of the cells `[rows, *cell]` of one input, zero where not `present` `[rows]`.

        Raises:
            UsageError: if the network has none.
        """
        self._refuse_embeddings()

    def weights(self, rows: Rows) -> Tensor | None:
        """The weight of each input in the fusion, `[rows, inputs]`, summed over its tokens; None if it has none."""
        return None

    def memory(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """What a decoder attends to: tokens `[rows, 1 + tokens, out]`, the features first, and which are present, bool
        `[rows, 1 + tokens]`. Without a fusion of tokens: the features alone."""
        features = self(rows).unsqueeze(-2)
        return features, torch.ones_like(features[..., 0], dtype=torch.bool)

    def raw(self, rows: Rows) -> Tensor:
        """Plain features `[rows, features]` without learned parameters, each input scaled to count the same, zero where
        absent."""
        parts = []
        for i, name in enumerate(self.names):
            present = rows.present[..., i]
            x = self.encoder(i).raw(mask(rows.inputs[name], present))
            parts.append(mask(x, present) / x.shape[-1] ** 0.5)
        return torch.cat(parts, -1)

    def encoder(self, i: int) -> Encoder:
        """The encoder that reads input `i`."""
        return self.encoders[self.reader[i]]  # type: ignore[return-value]

    def input_modules(self) -> dict[str, nn.Module]:
        """The modules that read inputs, before any fusion of tokens, by their name in the network."""
        return {f"encoders.{i}": encoder for i, encoder in enumerate(self.encoders)}

    def _refuse_embeddings(self) -> NoReturn:
        raise UsageError(f"a network of level {self.level!r} has no embeddings: use level='intermediate'")


def add_hint(features: Tensor, rows: Rows) -> Tensor:
    """Features `[rows, out]` with the rows' hints added; where no cell is present, the hint alone."""
    if rows.hint is None or rows.hinted is None:
        return features
    moved = mask(features, rows.present.any(-1)) + mask(rows.hint, rows.hinted)
    return torch.where(rows.hinted.unsqueeze(-1), moved, features)
