"""What there is to choose from."""

from __future__ import annotations

import importlib
from typing import Any

from omnishot.errors import choose
from omnishot.registry import Registry

#: Kind of thing -> its registry as "module:attribute".
REGISTRIES = {
    "learners": "omnishot.learners:LEARNERS",
    "fusions": "omnishot.nn.fusion:FUSIONS",
    "fillings": "omnishot.nn.filling:FILLINGS",
    "auxiliaries": "omnishot.nn.auxiliary:AUXILIARIES",
    "decoders": "omnishot.nn.decoders:DECODERS",
    "encoders": "omnishot.nn.encoders:ENCODERS",
    "objectives": "omnishot.objectives:OBJECTIVES",
    "worlds": "omnishot.worlds:WORLDS",
    "datasets": "omnishot.datasets:DATASETS",
}


def registry(kind: str) -> Registry:
    """The registry of a kind of thing, in the plural.

    Raises:
        UsageError: for an unknown kind, naming the nearest.
    """
    module, attribute = REGISTRIES[choose("kind of thing", kind, REGISTRIES)].split(":")
    return getattr(importlib.import_module(module), attribute)


def describe(kind: str) -> list[dict[str, Any]]:
    """Name, summary, paper and options of each thing of a kind.

    Raises:
        UsageError: for an unknown kind, naming the nearest.
    """
    return registry(kind).describe()
