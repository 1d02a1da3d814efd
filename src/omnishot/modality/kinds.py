"""Kinds of modality by name, imported when first asked for."""

from __future__ import annotations

from typing import Any

from omnishot.core.registry import Registry
from omnishot.modality.base import Modality

MODALITIES = Registry(
    "modality",
    {
        "image": "omnishot.modality.image:Image",
        "text": "omnishot.modality.text:Text",
        "audio": "omnishot.modality.audio:Audio",
        "video": "omnishot.modality.video:Video",
        "series": "omnishot.modality.series:Series",
        "tabular": "omnishot.modality.tabular:Tabular",
    },
)


def modality_class(kind: str) -> type[Modality]:
    """The class that decodes cells of this kind.

    Raises:
        UsageError: for an unknown kind, naming the nearest.
    """
    return MODALITIES.load(kind)


def from_json(settings: dict[str, Any]) -> Modality:
    """The modality whose `to_json` gave these settings."""
    return modality_class(settings["kind"]).from_json(settings)
