"""Data sets that Omnishot generates itself. `make("glyphs", "letters.csv")` writes one as a table."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omnishot.errors import UsageError, choose, nearest

WORLDS: dict[str, str] = {"glyphs": "omnishot.worlds.glyphs:make"}
"""Name of a world -> "module:function" that makes it, loaded when it is asked for."""


def find(name: str) -> Callable[..., Path]:
    """The function that makes the world `name`.

    Raises:
        UsageError: for a name that is not in `WORLDS`.
    """
    module, function = WORLDS[choose("world", name, WORLDS)].split(":")
    return getattr(importlib.import_module(module), function)


def make(name: str, out: str | Path, **options: Any) -> Path:
    """Write the table of the world `name` to `out` and return its path; `options` are that world's own.

    Raises:
        UsageError: for an unknown world or option, naming the nearest one there is.
    """
    function = find(name)
    known = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise UsageError(f"world {name!r} has no option {option!r}: {nearest(option, known)}")
    return function(out, **options)
