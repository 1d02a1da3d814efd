"""Modalities, one a file: how cells of a kind become tensors. Adding one is a file and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnishot.core.registry import Registry

if TYPE_CHECKING:  # it comes with torch, which `omnishot list modalities` does without
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
    base="omnishot.modality.base:Modality",
    named="kind",
    method="fit",
    hidden=("kinds",),
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
