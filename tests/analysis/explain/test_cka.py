from __future__ import annotations

import math

import numpy as np
import pytest

from omnishot.analysis.explain.cka import linear_cka

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 6)), RNG.normal(size=(30, 4))
Y[:, :2] += X[:, :2]


def hsic(k: np.ndarray, ell: np.ndarray) -> float:
    """tr(K H L H) / (n − 1)², written out (Gretton et al. 2005)."""
    n = len(k)
    h = np.eye(n) - 1 / n
    return float(np.trace(k @ h @ ell @ h)) / (n - 1) ** 2


def test_it_is_the_ratio_of_hsics():
    k, ell = X @ X.T, Y @ Y.T
    assert linear_cka(X, Y) == pytest.approx(hsic(k, ell) / math.sqrt(hsic(k, k) * hsic(ell, ell)), abs=1e-12)


def test_rotation_scale_and_shift_change_nothing_but_other_linear_maps_do():
    rotation = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    assert linear_cka(X, X) == pytest.approx(1, abs=1e-12)
    assert linear_cka(X, 3 * X @ rotation + 5) == pytest.approx(1, abs=1e-12)
    assert linear_cka(3 * X @ rotation, Y) == pytest.approx(linear_cka(X, Y), abs=1e-12)
    assert linear_cka(X, Y) == pytest.approx(linear_cka(Y, X), abs=1e-12)
    assert linear_cka(X, X @ np.diag([10, 1, 1, 1, 1, 0.1])) < 0.95
    assert linear_cka(X, Y) < 0.9


def test_what_does_not_vary_is_like_nothing():
    assert math.isnan(linear_cka(X, np.ones((30, 2))))
    with pytest.raises(ValueError, match="30 and 29"):
        linear_cka(X, Y[1:])
