"""Contributions as bars to the left and right of zero, and as text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scale:
    """The common axis of several bars, so that their lengths can be compared.

    Args:
        low: value at the left end, at most 0.
        high: value at the right end, at least 0.
    """

    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> Scale:
        """The smallest scale that holds zero and all values."""
        low, high = min(0.0, float(values.min(initial=0))), max(0.0, float(values.max(initial=0)))
        return cls(low, high) if high > low else cls(0.0, 1.0)

    def bar(self, value: float) -> str:
        """A bar from zero to the value as HTML; negative values have another colour."""
        zero, end = (100 * (at - self.low) / (self.high - self.low) for at in (0.0, value))
        kind = "fill" if value >= 0 else "fill negative"
        return (
            f'<span class="track signed" aria-hidden="true"><i class="{kind}" '
            f'style="left:{min(zero, end):.2f}%;width:{abs(end - zero):.2f}%"></i>'
            f'<i class="zero" style="left:{zero:.2f}%"></i></span>'
        )


@dataclass(frozen=True)
class ValueFormat:
    """How values and their differences are written.

    Args:
        fraction: whether values are fractions of 1, written as `81%` and `+31 points`; else as plain numbers.
    """

    fraction: bool

    def value(self, value: float) -> str:
        """A value: `81%`, or four significant digits."""
        return f"{value:.0%}" if self.fraction else _minus(f"{value:.4g}")

    def difference(self, value: float) -> str:
        """A difference of two values with its sign: `+31 points`, or three significant digits."""
        return _minus(f"{100 * value:+.0f}") + " points" if self.fraction else _minus(f"{value:+.3g}")

    def size(self, value: float) -> str:
        """The size of a difference, without a sign: `31 points`, or three significant digits."""
        return self.difference(abs(value)).lstrip("+")


def _minus(number: str) -> str:
    """The number with a typographic minus sign; zero has no sign."""
    return "0" if number in ("-0", "+0") else number.replace("-", "−")
