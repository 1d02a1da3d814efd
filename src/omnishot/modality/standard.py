"""Standardising: numbers in units of the training rows' spread around their mean."""

from __future__ import annotations

import numpy as np

FURTHEST = 100.0  # deviations; a number further out is brought there, or it would drown all others


def mean_and_std(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the first axis, NaN left out: float64 `[n, ...]` -> two of `[...]`.

    The deviation of what does not vary (beyond rounding) is 1, and the mean of nothing 0. Values are taken to lie
    within what float32 can hold, so that their squares are finite.
    """
    valid = ~np.isnan(values)
    count = np.maximum(valid.sum(0), 1)
    mean = np.where(valid, values, 0).sum(0) / count
    std = np.sqrt(np.where(valid, (values - mean) ** 2, 0).sum(0) / count)
    return mean, np.where(std > 1e-12 * np.abs(mean) + 1e-30, std, 1.0)


def standardised(values: np.ndarray, mean: np.ndarray | float, std: np.ndarray | float) -> np.ndarray:
    """float64 -> float32, 0 where NaN. In this order, or large numbers that differ little would become one."""
    return np.nan_to_num(np.clip((values - mean) / std, -FURTHEST, FURTHEST), nan=0.0).astype(np.float32)
