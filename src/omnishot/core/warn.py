"""Warnings that name the user's line, however deep in the package they arise."""

from __future__ import annotations

import sys
import warnings


def warn_user(message: str) -> None:
    """Issue a `UserWarning` that points at the nearest caller outside of this package."""
    level, frame = 2, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "omnishot":
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(message, stacklevel=level)
