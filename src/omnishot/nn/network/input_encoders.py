"""The encoders of a network's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from omnishot.errors import UsageError, nearest
from omnishot.modality.base import Modality
from omnishot.nn import encoders
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.layers import transformed

#: `encode_present` selects rows if at most this fraction of them is present: selecting more is slower.
WORTH_SELECTING = 0.75


class InputEncoders(NamedTuple):
    """Encoders, and by input the index of the one that reads it."""

    modules: list[Encoder]
    reader: list[int]


def build_encoders(
    modalities: Mapping[str, Modality],
    chosen: Mapping[str, str],
    options: Mapping[str, Mapping[str, Any]],
    shared: bool,
) -> InputEncoders:
    """An encoder for every input; if `shared`, one for all inputs with the same modality, encoder and options.

    Args:
        chosen: names of encoders by input or by kind of input; those of the input take precedence.
        options: of the encoders, likewise.

    Raises:
        UsageError: for an encoder or options of an input that does not exist.
    """
    kinds = {modality.kind for modality in modalities.values()}
    for place in (*chosen, *options):
        if place not in modalities and place not in kinds:
            raise UsageError(f"no input {place!r} to set an encoder for: {nearest(place, {*modalities, *kinds})}")
    modules: list[Encoder] = []
    settings: list[tuple[Modality, str, dict[str, Any]]] = []
    reader = []
    for name, modality in modalities.items():
        encoder = chosen.get(name, chosen.get(modality.kind)) or encoders.default_for(modality.kind)
        own = {**options.get(modality.kind, {}), **options.get(name, {})}
        encoders.ENCODERS.check_options(encoder, own)
        if not shared or (modality, encoder, own) not in settings:
            modules.append(encoders.build(modality, encoder, **own))
            settings.append((modality, encoder, own))
        reader.append(settings.index((modality, encoder, own)) if shared else len(modules) - 1)
    return InputEncoders(modules, reader)


def encode_present(encoder: Encoder, x: Tensor, present: Tensor) -> Tensor:
    """The vectors `[rows, out]` of cells `[rows, *cell]`; arbitrary where not `present` `[rows]`.

    Where many cells are absent, only the present ones are encoded and the others are zero, provided that `present` can
    be read without waiting for a device (on a CPU, outside of a `torch.func` transform) and no row depends on another.
    """
    if transformed() or present.device.type != "cpu" or encoder.transductive:
        return encoder(x)
    index = present.nonzero()[:, 0]
    if not 0 < len(index) <= WORTH_SELECTING * len(present):
        return encoder(x)
    some = encoder(x.index_select(0, index))
    return some.new_zeros(len(present), some.shape[-1]).index_copy(0, index, some)
