"""Data sets that Omnishot generates itself. `make("glyphs", "letters.csv")` writes one as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnishot.core.registry import Registry

#: Functions `make(out, *, options) -> Path`.
WORLDS = Registry(
    "world",
    {
        "glyphs": "omnishot.worlds.glyphs.world:make",
        "functions": "omnishot.worlds.functions:make",
        "scenes": "omnishot.worlds.scenes.world:make",
        "accents": "omnishot.worlds.accents.world:make",
        "driving": "omnishot.worlds.driving.world:make",
        "ward": "omnishot.worlds.ward.world:make",
    },
)


def make(name: str, out: str | Path, /, **options: Any) -> Path:
    """Write the table of the world `name` to `out` and return its path; `options` are those of the world.

    Raises:
        UsageError: for an unknown world or option, naming the nearest one there is.
    """
    return WORLDS.call(name, out, **options)
