"""Projection of features onto a plane (principal component analysis)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Plane:
    """The plane through the mean of some features along their two directions of greatest variance.

    Args:
        mean: `[dim]`.
        axes: `[2, dim]`, orthonormal; zero rows where the features have fewer than two dimensions.
        explained_variance: share of the features' variance within the plane, 0…1.

    Paper: Hotelling, Analysis of a Complex of Statistical Variables into Principal Components, 1933
    """

    mean: np.ndarray
    axes: np.ndarray
    explained_variance: float

    @classmethod
    def fit(cls, features: np.ndarray) -> Plane:
        """Fit the plane to `features` `[rows, dim]`; the largest entry of each axis is positive."""
        x = np.asarray(features, np.float64)
        mean = x.mean(0)
        _, spread, axes = np.linalg.svd(x - mean, full_matrices=False)
        largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1)
        axes = (axes * np.where(largest < 0, -1, 1))[:2]
        axes = np.concatenate([axes, np.zeros((2 - len(axes), x.shape[1]))])
        total = (spread**2).sum()
        return cls(mean, axes, float((spread[:2] ** 2).sum() / total) if total > 0 else 1.0)

    def project(self, features: np.ndarray) -> np.ndarray:
        """`[rows, dim] -> [rows, 2]`."""
        return (np.asarray(features, np.float64) - self.mean) @ self.axes.T
