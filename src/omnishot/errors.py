"""The errors a user can cause. Each message says what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class OmnishotError(Exception):
    """Any mistake Omnishot can explain. The command line prints it without a traceback."""

    exit_code = 1


class DataError(OmnishotError):
    """The data or the result falls short: a bad cell, too few rows, a damaged file (exit code 1)."""


class UsageError(OmnishotError, ValueError):
    """Something was asked for that does not exist or does not fit together (exit code 2)."""

    exit_code = 2


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint to append to a message: the known name closest to `name`, and all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(known) or 'none'}"


def choose(kind: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is one of `known`.

    Raises:
        UsageError: naming the nearest known name otherwise.
    """
    known = list(known)
    if name not in known:
        raise UsageError(f"unknown {kind} {name!r}: {nearest(name, known)}")
    return name
