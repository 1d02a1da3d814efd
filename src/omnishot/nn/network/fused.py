"""The base of intermediate and token fusion: encoders give tokens of one width, which a fusion combines."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.modality.base import Modality
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.fusion.base import Fusion
from omnishot.nn.imputation import IMPUTERS, MASK
from omnishot.nn.layers import LayerNorm, mask, masked_mean
from omnishot.nn.linear import Linear
from omnishot.nn.network.base import FusionSettings, Network, add_hint
from omnishot.nn.network.input_encoders import InputEncoders


class FusedNetwork(Network):
    """Encoders, a linear layer and a norm for each that map its vectors to one width, and a fusion.

    A subclass defines which vectors of an encoder are fused.
    """

    #: By encoder, the linear layer and norm that follow it.
    projections: nn.ModuleList
    fusion: Fusion
    #: Replaces absent embeddings; None where the fusion leaves them out.
    imputer: nn.Module | None

    def __init__(self, modalities: Mapping[str, Modality], encoders: InputEncoders, settings: FusionSettings):
        super().__init__(modalities, encoders, settings)
        inputs, dim = len(self.names), settings.dim
        self.imputer = None if settings.imputation == MASK else IMPUTERS.load(settings.imputation)(inputs, dim)
        self.tokens_per_input, widths = self._count_tokens()
        count, fusion = sum(self.tokens_per_input), FUSIONS.load(settings.name)
        if fusion.takes not in (None, count):
            raise UsageError(
                f"fusion {settings.name!r} compares {fusion.takes} inputs, and a row has {count} embeddings "
                f"({', '.join(self.names)}; level {self.level!r}): say which {fusion.takes} are the inputs "
                "(inputs, --inputs A,B), or choose another fusion"
            )
        first = [self.reader.index(i) for i in range(len(self.encoders))]
        self.projections = nn.ModuleList(nn.Sequential(Linear(widths[i], dim), LayerNorm(dim)) for i in first)
        self.fusion, self.out = fusion(count, dim, **settings.options), dim

    @property
    def transductive(self) -> bool:
        return super().transductive or self.fusion.transductive

    def _count_tokens(self) -> tuple[list[int], list[int]]:
        """By input, its number of tokens and their width as its encoder gives them."""
        raise NotImplementedError(f"{type(self).__name__}._count_tokens")

    def _encode(self, i: int, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors `[rows, tokens, width]` of the cells `x` of input `i`, and which are tokens of present cells."""
        raise NotImplementedError(f"{type(self).__name__}._encode")

    def features(self, rows: Rows) -> Tensor:
        return self.fuse(*self.tokens(rows))

    def tokens(self, rows: Rows) -> tuple[Tensor, Tensor]:
        each = [self._tokens_of(i, rows.inputs[name], rows.present[..., i]) for i, name in enumerate(self.names)]
        tokens, present = zip(*each, strict=True)
        return torch.cat(tokens, -2), torch.cat(present, -1)

    def fuse(self, tokens: Tensor, present: Tensor) -> Tensor:
        return self.fusion(*self.imputed(tokens, present))

    def imputed(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        if self.imputer is None:
            return tokens, present
        return self.imputer(tokens, present), torch.ones_like(present)

    def embedding(self, name: str, cells: Tensor, present: Tensor) -> Tensor:
        return masked_mean(*self._tokens_of(self.names.index(name), cells, present))

    def weights(self, rows: Rows) -> Tensor | None:
        weights = self.fusion.weights(*self.imputed(*self.tokens(rows)))
        if weights is None:
            return None
        return torch.stack([own.sum(-1) for own in weights.split(self.tokens_per_input, -1)], -1)

    def memory(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """The features and the tokens: after the fusion if it changes tokens (`transformer`), else before it."""
        tokens, present = self.imputed(*self.tokens(rows))
        features, tokens = self.fusion.fuse_tokens(tokens, present)
        every = torch.cat([torch.ones_like(present[..., :1]), present], -1)
        return torch.cat([add_hint(features, rows).unsqueeze(-2), mask(tokens, present)], -2), every

    def input_modules(self) -> dict[str, nn.Module]:
        return super().input_modules() | {f"projections.{i}": own for i, own in enumerate(self.projections)}

    def _tokens_of(self, i: int, cells: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens `[rows, tokens, dim]` of input `i`, zero where absent, and which are present."""
        x, here = self._encode(i, mask(cells, present), present)
        return mask(self.projections[self.reader[i]](x), here), here
