"""The rows that a row is most like."""

from __future__ import annotations

import numpy as np


def nearest(query: np.ndarray, support: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The support rows nearest to each query row: which ones, and their Euclidean distances, `[queries, count]` both.

    Args:
        query, support: features `[rows, dim]`.
        count: as many, or all support rows where there are fewer.
    """
    apart = np.asarray(query, np.float64)[:, None] - np.asarray(support, np.float64)
    distances = np.linalg.norm(apart, axis=-1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(distances, order, 1)
