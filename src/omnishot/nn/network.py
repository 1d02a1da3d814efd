"""The network: an encoder per input, then a fusion, giving one feature vector a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError, nearest
from omnishot.modality.base import Modality
from omnishot.nn import encoders
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.layers import LayerNorm, mask
from omnishot.nn.linear import Linear


class Network(nn.Module):
    """Rows of one task to features `[rows, out]`.

    A single input is read by its encoder and nothing else, as published few-shot networks are. Several are each
    brought to `dim` by a linear layer and a norm, and fused. What stands in an absent cell is replaced by zero
    before its encoder and its embedding by zero after it, so it changes nothing, bit for bit.
    """

    #: Width of the features.
    out: int
    fusion: nn.Module
    projections: nn.ModuleList

    def __init__(
        self,
        modalities: Mapping[str, Modality],
        fusion: str = "attention",
        dim: int = 64,
        encoder: Mapping[str, str] | None = None,
        encoder_options: Mapping[str, Mapping[str, Any]] | None = None,
    ):
        super().__init__()
        encoder, encoder_options = encoder or {}, encoder_options or {}
        kinds = {m.kind for m in modalities.values()}
        for said in (*encoder, *encoder_options):
            if said not in modalities and said not in kinds:
                raise UsageError(f"no input {said!r} to set an encoder for: {nearest(said, {*modalities, *kinds})}")
        self.modalities = dict(modalities)
        self.names = list(modalities)
        self.encoders = nn.ModuleList()
        for name, modality in modalities.items():
            chosen = encoder.get(name, encoder.get(modality.kind))
            options = {**encoder_options.get(modality.kind, {}), **encoder_options.get(name, {})}
            encoders.ENCODERS.check_options(chosen or encoders.DEFAULTS[modality.kind], options)
            self.encoders.append(encoders.build(modality, chosen, **options))
        widths: list[int] = [e.out for e in self.encoders]  # type: ignore[misc]
        if len(widths) == 1:
            self.out = widths[0]
        else:
            self.projections = nn.ModuleList(nn.Sequential(Linear(w, dim), LayerNorm(dim)) for w in widths)
            self.fusion = FUSIONS.load(fusion)(len(widths), dim)
            self.out = dim

    @property
    def transductive(self) -> bool:
        """Whether a query row's features depend on the other query rows."""
        return any(getattr(module, "transductive", False) for module in self.modules() if module is not self)

    def embeddings(self, rows: Rows) -> Tensor:
        """The embedding of every input of every row, `[rows, inputs, dim]`, zero where absent."""
        return torch.stack([self._embed(i, rows) for i in range(len(self.names))], -2)

    def forward(self, rows: Rows, fused: bool = True) -> Tensor:
        """Features `[rows, out]`; not `fused`, the embeddings of which they are made."""
        if not fused:
            return self.embeddings(rows)
        if len(self.names) == 1:
            return self._embed(0, rows)
        return self.fusion(self.embeddings(rows), rows.present)

    def raw(self, rows: Rows) -> Tensor:
        """Plain features `[rows, features]`, nothing learned, each input scaled to count the same, absent as zero."""
        parts = []
        for i, encoder in enumerate(self.encoders):
            here = rows.present[..., i]
            x = encoder.raw(mask(rows.inputs[self.names[i]], here))  # type: ignore[operator]
            parts.append(mask(x, here) / x.shape[-1] ** 0.5)
        return torch.cat(parts, -1)

    def _embed(self, i: int, rows: Rows) -> Tensor:
        here = rows.present[..., i]
        x = self.encoders[i](mask(rows.inputs[self.names[i]], here))
        if len(self.names) > 1:
            x = self.projections[i](x)
        return mask(x, here)
