"""The support rows nearest to each query row."""

from __future__ import annotations

import numpy as np


def nearest(query: np.ndarray, support: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the support rows nearest to each query row and their Euclidean distances, `[queries, count]` each.

    Args:
        query, support: features `[rows, dim]`.
        count: how many; all support rows if there are fewer.
    """
    differences = np.asarray(query, np.float64)[:, None] - np.asarray(support, np.float64)
    distances = np.linalg.norm(differences, axis=-1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(distances, order, 1)
