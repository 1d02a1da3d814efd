"""Results on stdout, everything for people on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_json(value: Any) -> None:
    """A result for programs."""
    print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)


def say(text: str) -> None:
    """A word to people."""
    print(text, file=sys.stderr, flush=True)


def on_terminal() -> bool:
    """Whether people watch stderr."""
    return sys.stderr.isatty()
