"""Data sets that Omnishot generates itself. `make("glyphs", "letters.csv")` writes one as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnishot.registry import Registry

#: Functions `make(out, *, options) -> Path`.
WORLDS = Registry(
    "world",
    {
        "glyphs": "omnishot.worlds.glyphs:make",
        "functions": "omnishot.worlds.functions:make",
        "scenes": "omnishot.worlds.scenes:make",
        "accents": "omnishot.worlds.accents:make",
        "driving": "omnishot.worlds.driving:make",
        "ward": "omnishot.worlds.ward:make",
    },
)


def make(name: str, out: str | Path, /, **options: Any) -> Path:
    """Write the table of the world `name` to `out` and return its path; `options` are that world's own.

    Raises:
        UsageError: for an unknown world or option, naming the nearest one there is.
    """
    return WORLDS.call(name, out, **options)
