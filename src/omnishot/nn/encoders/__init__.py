"""Encoders, one a file: a batch of one input's cells to one vector a row. Adding one is a file and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnishot.core.registry import Registry
from omnishot.errors import UsageError

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


def default_for(kind: str) -> str:
    """The encoder that reads cells of this kind unless another is chosen; of a user's kind, the first that does.

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

    A user's may be any module, or whatever makes one (`omnishot.nn.encoders.custom`).

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
