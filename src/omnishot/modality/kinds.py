"""Kinds of modality by name, imported when first asked for."""

from __future__ import annotations

import importlib
from typing import Any

from omnishot.errors import UsageError, choose
from omnishot.modality.base import Modality

#: kind -> "module:Class", imported when first asked for.
MODALITIES: dict[str, str] = {
    "image": "omnishot.modality.image:Image",
    "text": "omnishot.modality.text:Text",
    "audio": "omnishot.modality.audio:Audio",
    "series": "omnishot.modality.series:Series",
    "tabular": "omnishot.modality.tabular:Tabular",
}


def modality_class(kind: str) -> type[Modality]:
    """The class that decodes cells of this kind.

    Raises:
        UsageError: for an unknown kind, naming the nearest, and for video.
    """
    if kind == "video":
        raise UsageError(
            "video is not supported by this version of Omnishot: leave the column out, or make frames "
            "(image) and sound (audio) of it"
        )
    module, name = MODALITIES[choose("modality", kind, MODALITIES)].split(":")
    return getattr(importlib.import_module(module), name)


def from_json(settings: dict[str, Any]) -> Modality:
    """The modality whose `to_json` gave these settings."""
    return modality_class(settings["kind"]).from_json(settings)
