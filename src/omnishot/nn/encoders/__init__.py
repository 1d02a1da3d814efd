"""Encoders, one a file: a batch of one input's cells to one vector a row. Adding one is a file and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnishot.core.registry import Registry
from omnishot.errors import UsageError, choose

if TYPE_CHECKING:  # which torch comes with: `omnishot list encoders` goes without
    from omnishot.modality.base import Modality
    from omnishot.nn.encoders.base import Encoder

ENCODERS = Registry(
    "encoder",
    {
        "conv4": "omnishot.nn.encoders.conv4:Conv4",
        "resnet": "omnishot.nn.encoders.resnet:ResNet",
        "lenet": "omnishot.nn.encoders.lenet:LeNet",
        "framewise": "omnishot.nn.encoders.framewise:Framewise",
        "transformer": "omnishot.nn.encoders.transformer:TextTransformer",
        "gru": "omnishot.nn.encoders.gru:TextGRU",
        "logmel": "omnishot.nn.encoders.logmel:LogMelConv",
        "conv1d": "omnishot.nn.encoders.conv1d:SeriesConv",
        "mlp": "omnishot.nn.encoders.mlp:TabularMLP",
        "scale": "omnishot.nn.encoders.scale:Scale",
    },
)

#: What each kind of input is read with unless something else is asked for.
DEFAULTS = {"image": "conv4", "text": "transformer", "audio": "logmel", "series": "conv1d", "tabular": "mlp"}
DEFAULTS |= {"video": "framewise"}
DEFAULTS |= {"features": "scale"}  # what a frozen encoder gives


def build(modality: Modality, name: str | None = None, **options: Any) -> Encoder:
    """The encoder `name` for a fitted modality (None: the default of its kind).

    Raises:
        UsageError: if there is no such encoder, or it does not read this kind of input.
    """
    name = choose("encoder", name or DEFAULTS[modality.kind], ENCODERS.names())
    cls = ENCODERS.load(name)
    if modality.kind not in cls.reads:
        fitting = [n for n in ENCODERS.names() if modality.kind in ENCODERS.load(n).reads]
        raise UsageError(
            f"encoder {name!r} reads {', '.join(cls.reads)}, not {modality.kind}; use one of: {', '.join(fitting)}"
        )
    return cls(modality, **options)
