"""Agreement of predicted similarities of pairs with human ones: correlations and squared error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from omnishot.errors import DataError
from omnishot.metrics.resampling import draws, half_width

Pairs = tuple[np.ndarray, np.ndarray]


def relatedness_figures(episodes: Sequence[Pairs]) -> dict[str, tuple[float, float]]:
    """`relatedness` of all episodes' pairs, each with half its 95% interval over episodes (resampled).

    Args:
        episodes: a (predicted `[pairs]`, target `[pairs]`) pair for each.
    """
    pairs = [(np.ravel(p).astype(np.float64), np.ravel(w).astype(np.float64)) for p, w in episodes]
    value = relatedness(*_concatenated(pairs))
    if len(pairs) == 1:
        return {name: (figure, math.inf) for name, figure in value.items()}
    chosen = ([e for e, times in zip(pairs, row, strict=True) for _ in range(times)] for row in draws(len(pairs)))
    samples = [relatedness(*_concatenated(sample)) for sample in chosen]
    return {name: (figure, half_width(np.array([s[name] for s in samples]))) for name, figure in value.items()}


def relatedness(predicted: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """`pearson` and `spearman` correlation and mean squared error `mse` of similarities `[pairs]`.

    Where either side is constant there is no correlation, and 0 is given.

    Raises:
        DataError: if there is no pair, or the sides differ in length.
    """
    from scipy.stats import rankdata  # type: ignore[import-untyped]

    if not len(predicted) or np.shape(predicted) != np.shape(target):
        raise DataError(
            f"Predicted and target similarities of pairs must be equally many: got {len(predicted)} and {len(target)}."
        )
    return {
        "pearson": correlation(predicted, target),
        "spearman": correlation(rankdata(predicted), rankdata(target)),
        "mse": float(np.square(predicted - target).mean()),
    }


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of `[pairs]`; 0 where a side is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip((a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)), -1, 1))


def _concatenated(episodes: Sequence[Pairs]) -> Pairs:
    return np.concatenate([p for p, _ in episodes]), np.concatenate([w for _, w in episodes])
