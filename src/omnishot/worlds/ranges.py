"""Checks of the numbers that a world takes."""

from __future__ import annotations

from omnishot.errors import UsageError


def check_range(name: str, value: float, low: float, high: float | None = None) -> None:
    """Check that the option `name` is at least `low` and at most `high` (None: no upper limit).

    Raises:
        UsageError: if it is not.
    """
    if value < low or (high is not None and value > high):
        raise UsageError(f"{name} must be {low} {'or more' if high is None else f'to {high}'}, not {value}")
