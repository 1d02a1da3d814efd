"""Encoders, one a file: from the cells of one input to one vector per row. Adding one is a file and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnishot.core.registry import Registry
from omnishot.errors import UsageError

if TYPE_CHECKING:  # imports torch, which `omnishot list encoders` avoids
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

#: The default encoder of each kind of input.
DEFAULTS = {"image": "conv4", "text": "transformer", "audio": "logmel", "series": "conv1d", "tabular": "mlp"}
DEFAULTS |= {"video": "framewise"}
DEFAULTS |= {"features": "scale"}  # the output of a frozen encoder


def default_for(kind: str) -> str:
    """The default encoder of this kind of cell; for a kind that a user defined, the first encoder that reads it.

    Raises:
        UsageError: if there is none.
    """
    if kind in DEFAULTS:
        return DEFAULTS[kind]
    for name in ENCODERS.names():
        if kind in getattr(ENCODERS.load(name), "reads", ()):
            return name
    raise UsageError(f"no encoder reads {kind}: choose one ({kind}.encoder), or register one whose `reads` names it")


def build(modality: Modality, name: str | None = None, **options: Any) -> Encoder:
    """The encoder `name` for a fitted modality (None: the default of its kind).

    A user's encoder may be any module, or a class or function that makes one (`omnishot.nn.encoders.custom`).

    Raises:
        UsageError: if there is no such encoder, or it does not read this kind of input.
    """
    from omnishot.nn.encoders.base import Encoder
    from omnishot.nn.encoders.custom import CustomEncoder

    name = name or default_for(modality.kind)
    cls = ENCODERS.load(name)
    if not (isinstance(cls, type) and issubclass(cls, Encoder)):
        return CustomEncoder(modality, cls, **options)
    if cls.reads and modality.kind not in cls.reads:
        fitting = [n for n in ENCODERS.names() if modality.kind in getattr(ENCODERS.load(n), "reads", ())]
        raise UsageError(
            f"encoder {name!r} reads {', '.join(cls.reads)}, not {modality.kind}; use one of: {', '.join(fitting)}"
        )
    return cls(modality, **options)
