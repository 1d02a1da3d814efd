"""Centred kernel alignment: the similarity of two sets of features of the same rows."""

from __future__ import annotations

import math

import numpy as np


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Linear centred kernel alignment of features `[rows, d]` and `[rows, e]` of the same rows, 0…1.

    ‖Yᵀ X‖² / (‖Xᵀ X‖ ‖Yᵀ Y‖) with centred columns. It is 1 if the features differ by a rotation and one scale only, and
    NaN if either does not vary. With few rows it is above 0 for unrelated features too.

    Raises:
        ValueError: if the numbers of rows differ.

    Paper: Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019, §3
    """
    if len(x) != len(y):
        raise ValueError(f"features of the same rows are compared, not of {len(x)} and {len(y)} rows")
    x, y = (np.asarray(each, np.float64) - np.mean(each, 0, dtype=np.float64) for each in (x, y))
    own = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(y.T @ x) ** 2 / own) if own > 0 else math.nan
