"""Bootstrap intervals, over episodes, of figures that are no mean over episodes; always the same draws."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from omnishot.core import seeds

SAMPLES = 1000
#: Of such sums over some episodes `[..., statistics]` the figure `[...]`.
FromSums = Callable[[np.ndarray], np.ndarray]


def draws(episodes: int, samples: int = SAMPLES) -> np.ndarray:
    """How often each episode is in each bootstrap sample, int `[samples, episodes]`; the same for every call."""
    return seeds.resampling().multinomial(episodes, np.full(episodes, 1 / episodes), size=samples)


def half_width(values: np.ndarray) -> float:
    """Half the distance between the quantiles that hold 95% of the samples' values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(high - low) / 2


def resampled(figure: FromSums, statistics: np.ndarray, samples: int = SAMPLES) -> tuple[float, float]:
    """A figure of all episodes together, and half its 95% interval over episodes; infinite for a single one.

    Args:
        figure: sums `[..., statistics]` -> figure `[...]`.
        statistics: what sums over episodes, `[episodes, statistics]`.
    """
    statistics = np.asarray(statistics, dtype=np.float64)
    value = float(figure(statistics.sum(0)))
    if len(statistics) == 1:
        return value, math.inf
    return value, half_width(figure(draws(len(statistics), samples) @ statistics))


def ratio(sums: np.ndarray) -> np.ndarray:
    """The first statistic over the second, `[..., 2]` -> `[...]`; 0 where there is nothing to share."""
    part, whole = sums[..., 0], sums[..., 1]
    return np.divide(part, whole, out=np.zeros_like(part, dtype=np.float64), where=whole != 0)
