"""Calibration of probabilities: its error, and the temperature that reduces it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from omnishot.core import seeds

BINS = 15
#: The scores' standard deviation over the temperature stays within 1/LIMIT … LIMIT: from even chances to certainty.
LIMIT = 100.0


def calibration_counts(probabilities: np.ndarray, target: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Per confidence bin: rows, summed confidence, rows right. `[rows, ways]`, `[rows]` -> `[3, bins]`."""
    confidence = np.nan_to_num(probabilities.max(-1))  # NaN after a learner diverged
    right = probabilities.argmax(-1) == target
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    weights = (np.ones_like(confidence), confidence, right.astype(float))
    return np.stack([np.bincount(bin_of, weights=w, minlength=bins) for w in weights])


def calibration_error(counts: np.ndarray) -> np.ndarray:
    """Expected calibration error from counts `[..., 3, bins]` (Guo et al. 2017, On Calibration, §2)."""
    rows, confidence, right = counts[..., 0, :], counts[..., 1, :], counts[..., 2, :]
    return np.abs(right - confidence).sum(-1) / np.maximum(rows.sum(-1), 1)


def resampled_calibration_error(counts: np.ndarray, samples: int = 1000) -> tuple[float, float]:
    """Calibration error of all episodes' counts `[episodes, 3, bins]`, and half its 95% interval over episodes.

    The interval is from resampling episodes (`samples` bootstrap samples, always the same).
    """
    draws = seeds.resampling().multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=samples)
    low, high = np.quantile(calibration_error(np.tensordot(draws.astype(float), counts, axes=1)), [0.025, 0.975])
    return float(calibration_error(counts.sum(0))), float(high - low) / 2


def fit_temperature(episodes: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The temperature T under which softmax(scores / T) has the least negative log-likelihood (Guo et al. 2017, §4.2).

    One more row is added, labelled by chance, its weight spread evenly over rows and classes: without it the minimum
    would be at T = 0 wherever every row is predicted correctly. The likelihood is convex in 1/T, so its slope has one
    root, which Brent's method finds.

    Args:
        episodes: a (scores `[rows, ways]`, target `[rows]`) pair for each; ways may differ. A row with a score that
            is not finite counts for nothing.
    """
    from scipy.optimize import brentq  # type: ignore[import-untyped]  # slow to import

    by_ways: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for scores, target in episodes:
        whole = np.isfinite(scores).all(-1)
        by_ways.setdefault(scores.shape[-1], []).append((scores[whole].astype(np.float64), target[whole]))
    merged = [(np.concatenate([s for s, _ in each]), np.concatenate([t for _, t in each])) for each in by_ways.values()]
    rows = sum(len(target) for _, target in merged)
    spread = math.sqrt(sum(scores.var(-1).sum() for scores, _ in merged) / max(rows, 1))
    if not spread:
        return 1.0
    merged = [((scores - scores.mean(-1, keepdims=True)) / spread, target) for scores, target in merged]
    # Labelled by chance, a row's expected score is its mean, which is now 0.
    expected = sum(float(scores[np.arange(len(target)), target].sum()) for scores, target in merged) / (1 + 1 / rows)

    tensors = [torch.from_numpy(scores) for scores, _ in merged]

    def slope(log_sharpness: float) -> float:
        sharpness = math.exp(log_sharpness)
        return sum(float(((sharpness * scores).softmax(-1) * scores).sum()) for scores in tensors) - expected

    low, high = -math.log(LIMIT), math.log(LIMIT)
    if slope(low) >= 0:  # scores no better than chance
        return spread * LIMIT
    return spread / (LIMIT if slope(high) <= 0 else math.exp(brentq(slope, low, high, xtol=1e-12)))


def accuracy_at_coverage(confidence: np.ndarray, right: np.ndarray, coverage: float) -> float:
    """Share of right answers among the surest rows, `coverage` of all (rounded up); of equally sure rows the first."""
    kept = np.argsort(-np.nan_to_num(confidence), kind="stable")[: math.ceil(coverage * len(confidence))]
    return float(right[kept].mean())
