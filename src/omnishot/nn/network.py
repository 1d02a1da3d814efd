"""The network: an encoder per input, then a fusion, giving one feature vector a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError, choose, nearest
from omnishot.modality.base import Modality
from omnishot.nn import encoders
from omnishot.nn.early import Early
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.imputation import IMPUTERS, MASK
from omnishot.nn.layers import LayerNorm, mask, masked_mean, transformed
from omnishot.nn.linear import Linear

#: Where the inputs of a row come together.
EARLY, INTERMEDIATE, TOKEN = LEVELS = ("early", "intermediate", "token")
NO_EMBEDDINGS = "a network of level 'early' has no embeddings: use level='intermediate'"


class Network(nn.Module):
    """Rows of one task to features `[rows, out]`.

    What is fused are a row's slots `[rows, slots, dim]`, by `level`:

    `embedding`  one slot an input: its embedding, brought to `dim` by a linear layer and a norm. A single input is
                 read by its encoder and nothing else, as published few-shot networks are.
    `model`      one slot a part of an input (place of a picture, time of a sound or series, word), likewise.
    `feature`    none: the inputs' plain features go side by side through one encoder (`omnishot.nn.early`).

    What stands in an absent cell is replaced by zero before its encoder and its slots by zero after it, so it changes
    nothing, bit for bit. The fusion then leaves it out, or (`imputation`) something learned stands for it.
    """

    #: Width of the features.
    out: int
    encoders: nn.ModuleList
    projections: nn.ModuleList
    #: The place among `encoders` (and `projections`) of the one that reads each input.
    reader: list[int]
    #: Absent where a single input is read by its encoder alone.
    fusion: nn.Module
    #: Stands for absent embeddings; None where the fusion leaves them out.
    imputer: nn.Module | None

    def __init__(
        self,
        modalities: Mapping[str, Modality],
        fusion: str = "attention",
        dim: int = 64,
        encoder: Mapping[str, str] | None = None,
        encoder_options: Mapping[str, Mapping[str, Any]] | None = None,
        fusion_options: Mapping[str, Any] | None = None,
        level: str = INTERMEDIATE,
        imputation: str = MASK,
        shared: bool = False,
    ):
        """`shared`: inputs that are alike in kind, settings and encoder have one encoder."""
        super().__init__()
        self.modalities, self.names = dict(modalities), list(modalities)
        self.level = choose("level", level, LEVELS)
        choose("imputation", imputation, (MASK, *IMPUTERS.names()))
        if imputation != MASK and (level != INTERMEDIATE or len(modalities) == 1):
            raise UsageError(
                f"imputation={imputation!r} stands for embeddings that are fused: it needs level='intermediate' (here {level!r}) "
                f"and two inputs or more (here {', '.join(self.names)})"
            )
        built, self.reader = _encoders(modalities, encoder or {}, encoder_options or {}, shared)
        self.encoders = nn.ModuleList(built)
        built = [built[i] for i in self.reader]
        inputs = len(self.names)
        FUSIONS.check_options(fusion, fusion_options or {})
        build = FUSIONS.load(fusion)
        self.imputer = None if imputation == MASK else IMPUTERS.load(imputation)(inputs, dim)
        #: How many slots each input has.
        self.slots: list[int] = [1] * inputs
        if level == EARLY:
            widths = [e.bare().raw(m.blank()).shape[-1] for e, m in zip(built, modalities.values(), strict=True)]
            self.fusion, self.out = Early(sum(widths), inputs, dim), dim
        elif level == INTERMEDIATE and inputs == 1:
            self.out = built[0].out
        else:
            widths = [e.out for e in built]
            if level == TOKEN:
                with torch.no_grad():
                    seen = [e.parts(m.blank())[0].shape for e, m in zip(built, modalities.values(), strict=True)]
                self.slots, widths = [s[-2] for s in seen], [s[-1] for s in seen]
            if build.takes not in (None, sum(self.slots)):
                raise UsageError(
                    f"fusion {fusion!r} compares {build.takes} inputs, and a row has {sum(self.slots)} embeddings "
                    f"({', '.join(self.names)}; level {level!r}): say which {build.takes} are the inputs "
                    "(inputs, --inputs A,B), or choose another fusion"
                )
            firsts = [self.reader.index(i) for i in range(len(self.encoders))]
            self.projections = nn.ModuleList(nn.Sequential(Linear(widths[i], dim), LayerNorm(dim)) for i in firsts)
            self.fusion, self.out = build(sum(self.slots), dim, **(fusion_options or {})), dim

    @property
    def transductive(self) -> bool:
        """Whether a query row's features depend on the other query rows."""
        return any(getattr(module, "transductive", False) for module in self.modules() if module is not self)

    def forward(self, rows: Rows, fused: bool = True) -> Tensor:
        """Features `[rows, out]`, moved by the rows' hints; not `fused`, the embeddings of which they are made."""
        return add_hint(self._features(rows), rows) if fused else self.embeddings(rows)

    def _features(self, rows: Rows) -> Tensor:
        if self.level == EARLY:
            return self.fusion(self.raw(rows), rows.present)
        if self.level == INTERMEDIATE and len(self.names) == 1:
            return self.embeddings(rows).squeeze(-2)
        return self.fuse(*self.parts(rows))

    def parts(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """What is fused: every slot of every row `[rows, slots, dim]`, zero where absent, and which are present, bool
        `[rows, slots]`.

        Raises:
            UsageError: at level `early`, which has none.
        """
        if self.level == EARLY:
            raise UsageError(NO_EMBEDDINGS)
        read = ((i, rows.inputs[name], rows.present[..., i]) for i, name in enumerate(self.names))
        seen, here = zip(*(self._parts(*cells) for cells in read), strict=True)
        return torch.cat(seen, -2), torch.cat(here, -1)

    def memory(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """What a decoder looks at: the features and then every slot of every row `[rows, 1 + slots, out]`, and which
        are there, bool `[rows, 1 + slots]`.

        The slots are as the fusion leaves them, where it gives any (`transformer`); else as it is given them. A single
        input that is read by its encoder alone, and rows of level `early`, have none but the features.
        """
        if self.level == EARLY or not self._projected:
            features = add_hint(self._features(rows), rows).unsqueeze(-2)
            return features, torch.ones_like(features[..., 0], dtype=torch.bool)
        slots, present = self.filled(*self.parts(rows))
        tokens = getattr(self.fusion, "tokens", None)
        fused, slots = (self.fusion(slots, present), slots) if tokens is None else tokens(slots, present)
        here = torch.cat([torch.ones_like(present[..., :1]), present], -1)
        return torch.cat([add_hint(fused, rows).unsqueeze(-2), mask(slots, present)], -2), here

    def fuse(self, parts: Tensor, present: Tensor) -> Tensor:
        """Features `[..., out]` of `parts` `[..., slots, dim]`, zero where not `present` (bool `[..., slots]`)."""
        return self.fusion(*self.filled(parts, present))

    def filled(self, parts: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """What the fusion reads: the same, with something for whatever is absent where there is a imputer."""
        if self.imputer is None:
            return parts, present
        return self.imputer(parts, present), torch.ones_like(present)

    def embeddings(self, rows: Rows) -> Tensor:
        """The embedding of every input of every row, `[rows, inputs, dim]`, zero where absent; the mean of its parts.

        Raises:
            UsageError: at level `early`, which has none.
        """
        return self.pool_tokens(*self.parts(rows))

    def embedding(self, name: str, cells: Tensor, present: Tensor) -> Tensor:
        """The embedding `[rows, dim]` of one input alone: cells `[rows, *cell]`, zero where not `present` `[rows]`.

        Raises:
            UsageError: at level `early`, which has none.
        """
        if self.level == EARLY:
            raise UsageError(NO_EMBEDDINGS)
        return masked_mean(*self._parts(self.names.index(name), cells, present))

    def pool_tokens(self, parts: Tensor, present: Tensor) -> Tensor:
        """The embedding of every input of every row, `[rows, inputs, dim]`, of what `parts` gives."""
        if self.level == INTERMEDIATE:
            return parts
        of_input = zip(parts.split(self.slots, -2), present.split(self.slots, -1), strict=True)
        return torch.stack([masked_mean(own, here) for own, here in of_input], -2)

    def weights(self, rows: Rows) -> Tensor | None:
        """How much the fusion counts each input of every row, `[rows, inputs]`, the sum over its slots; None if it
        does not weigh them."""
        weigh = getattr(self.fusion, "weights", None) if self._projected and self.level != EARLY else None
        if weigh is None:
            return None
        of_slots = weigh(*self.filled(*self.parts(rows)))
        return torch.stack([own.sum(-1) for own in of_slots.split(self.slots, -1)], -1)

    def raw(self, rows: Rows) -> Tensor:
        """Plain features `[rows, features]`, nothing learned, each input scaled to count the same, absent as zero."""
        parts = []
        for i, name in enumerate(self.names):
            here = rows.present[..., i]
            x = self.encoder(i).raw(mask(rows.inputs[name], here))
            parts.append(mask(x, here) / x.shape[-1] ** 0.5)
        return torch.cat(parts, -1)

    def encoder(self, i: int) -> Encoder:
        """The encoder that reads input `i`."""
        return self.encoders[self.reader[i]]  # type: ignore[return-value]

    def _parts(self, i: int, cells: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The slots of input `i`, and which of them are there."""
        here = present.unsqueeze(-1)
        x, real = mask(cells, present), None
        if self.level == TOKEN:
            x, real = self.encoder(i).parts(x)
        else:
            x = _of_present(self.encoder(i), x, present).unsqueeze(-2)
        if self._projected:
            x = self.projections[self.reader[i]](x)
        here = here.expand(x.shape[:-1]) if real is None else here & real
        return mask(x, here), here

    @property
    def _projected(self) -> bool:
        return self.level == TOKEN or len(self.names) > 1


def add_hint(features: Tensor, rows: Rows) -> Tensor:
    """Features `[rows, out]` with the rows' hints added, which stand alone where no cell is present."""
    if rows.hint is None or rows.hinted is None:
        return features
    moved = mask(features, rows.present.any(-1)) + mask(rows.hint, rows.hinted)
    return torch.where(rows.hinted.unsqueeze(-1), moved, features)


def _encoders(
    modalities: Mapping[str, Modality],
    said: Mapping[str, str],
    options: Mapping[str, Mapping[str, Any]],
    shared: bool,
) -> tuple[list[Encoder], list[int]]:
    """The encoders, and the place of the one that reads each input: an own one, or where they are `shared` that of an
    earlier input of the same settings. What is said for an input's name counts before what is said for its kind."""
    kinds = {m.kind for m in modalities.values()}
    for place in (*said, *options):
        if place not in modalities and place not in kinds:
            raise UsageError(f"no input {place!r} to set an encoder for: {nearest(place, {*modalities, *kinds})}")
    built: list[Encoder] = []
    wanted: list[Any] = []
    reader = []
    for name, modality in modalities.items():
        chosen = said.get(name, said.get(modality.kind)) or encoders.DEFAULTS[modality.kind]
        own = {**options.get(modality.kind, {}), **options.get(name, {})}
        encoders.ENCODERS.check_options(chosen, own)
        if not shared or (modality, chosen, own) not in wanted:
            built.append(encoders.build(modality, chosen, **own))
            wanted.append((modality, chosen, own))
        reader.append(wanted.index((modality, chosen, own)) if shared else len(built) - 1)
    return built, reader


def _of_present(encoder: nn.Module, x: Tensor, here: Tensor) -> Tensor:
    """What an encoder gives for rows `x` `[rows, *cell]`, bool `here` `[rows]`; where many are absent, zero for those.

    Spares the work where that is known without waiting (on a CPU, outside of vmap) and no row depends on another.
    """
    if transformed() or here.device.type != "cpu" or any(getattr(m, "transductive", False) for m in encoder.modules()):
        return encoder(x)
    index = here.nonzero()[:, 0]
    if not 0 < 4 * len(index) <= 3 * len(here):
        return encoder(x)
    some = encoder(x.index_select(0, index))
    return some.new_zeros(len(here), some.shape[-1]).index_copy(0, index, some)
