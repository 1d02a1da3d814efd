"""Contributions as bars to both sides of zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scale:
    """What the bars of one page are drawn to, so that they can be compared.

    Args:
        low, high: the values at the ends, `low` at most 0 and `high` at least 0.
    """

    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> Scale:
        """The scale that all of the values fit on."""
        low, high = min(0.0, float(values.min(initial=0))), max(0.0, float(values.max(initial=0)))
        return cls(low, high) if high > low else cls(0.0, 1.0)

    def bar(self, value: float) -> str:
        """A bar from zero to the value, in another colour where it is below."""
        zero, end = (100 * (at - self.low) / (self.high - self.low) for at in (0.0, value))
        kind = "fill" if value >= 0 else "fill against"
        return (
            f'<span class="track pull" aria-hidden="true"><i class="{kind}" '
            f'style="left:{min(zero, end):.2f}%;width:{abs(end - zero):.2f}%"></i>'
            f'<i class="zero" style="left:{zero:.2f}%"></i></span>'
        )


#: How a value and a difference of values are said.
Said = Callable[[float], str]


def saying(fraction: bool) -> tuple[Said, Said]:
    """How a value and a contribution are said: `81%` and `+31 points`, or as the numbers they are."""
    if fraction:
        return (lambda value: f"{value:.0%}"), (lambda value: _signed(f"{100 * value:+.0f}") + " points")
    return (lambda value: _signed(f"{value:.4g}")), (lambda value: _signed(f"{value:+.3g}"))


def _signed(number: str) -> str:
    """With a real minus sign, and nothing that is nothing below zero."""
    return "0" if number in ("-0", "+0") else number.replace("-", "−")
