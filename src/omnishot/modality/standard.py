"""Standardisation by the mean and standard deviation of the training rows."""

from __future__ import annotations

import numpy as np

FURTHEST = 100.0  # deviations; numbers further out are clipped, or they would dominate all others


def mean_and_std(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the first axis without NaN: float64 `[n, ...]` -> two of `[...]`.

    Constant values (up to rounding) get the deviation 1, an empty column the mean 0. Values must lie within float32's
    range, so that their squares are finite.
    """
    valid = ~np.isnan(values)
    count = np.maximum(valid.sum(0), 1)
    mean = np.where(valid, values, 0).sum(0) / count
    std = np.sqrt(np.where(valid, (values - mean) ** 2, 0).sum(0) / count)
    return mean, np.where(std > 1e-12 * np.abs(mean) + 1e-30, std, 1.0)


def standardised(values: np.ndarray, mean: np.ndarray | float, std: np.ndarray | float) -> np.ndarray:
    """float64 -> float32, 0 where NaN. Standardising in float64 keeps large numbers apart that differ little."""
    return np.nan_to_num(np.clip((values - mean) / std, -FURTHEST, FURTHEST), nan=0.0).astype(np.float32)
