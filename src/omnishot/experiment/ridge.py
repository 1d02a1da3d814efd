"""Ridge regression from one vector space to another, in closed form, fitted on a few pairs."""

from __future__ import annotations

import torch
from torch import Tensor

#: Candidate penalties, in units of the mean squared norm of the centred rows of `x`.
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
#: Eigenvalues `[n]` and eigenvectors `[n, n]` of the inner products of centred rows.
Spectrum = tuple[Tensor, Tensor]


def left_out(x: Tensor, y: Tensor, penalty: float, spectrum: Spectrum | None = None) -> Tensor:
    """Leave-one-out predictions of `y` `[n, out]` by ridge regression with an intercept.

    min Σ ‖W(x − x̄) + b − y‖² + penalty ‖W‖² is a linear smoother S, so the prediction of row i without row i is
    y − (y − Sy) / (1 − Sᵢᵢ), without another fit (Allen's PRESS, 1974). `x` is `[n, width]`; all matrices are n × n.
    The `spectrum` of `x` may be given.
    """
    values, vectors = spectrum or spectrum_of(x)
    shrunk = values / (values + penalty)
    smoother = (vectors * shrunk) @ vectors.mT + 1 / len(x)
    return y - (y - smoother @ y) / (1 - smoother.diagonal())[:, None]


def ridge_map(x: Tensor, y: Tensor, penalty: float, spectrum: Spectrum | None = None) -> Tensor:
    """The map W `[width, out]` of that regression."""
    values, vectors = spectrum or spectrum_of(x)
    return (x - x.mean(0)).mT @ (vectors / (values + penalty)) @ (vectors.mT @ (y - y.mean(0)))


def bridge(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """The ridge map from `x` `[n, width]` to `y` `[n, out]` whose penalty has the least leave-one-out error.

    The map is zero if no penalty has a smaller error than the mean of the other rows: then `x` does not predict `y`.

    Returns:
        `weight` `[width, out]`; `centre` `[width]` and `mean` `[out]`, the means of both; `left_out` `[n, out]`,
        the leave-one-out predictions minus `mean`; `explained`, the fraction of the variance of `y` that they explain.
    """
    n, scale = len(x), (x - x.mean(0)).square().sum(-1).mean().clamp(min=torch.finfo(x.dtype).tiny)
    without = (y - y.mean(0)) * (n / (n - 1))  # from the mean of the other rows
    best, zero = without.square().sum(), torch.zeros(x.shape[-1], y.shape[-1], dtype=y.dtype, device=y.device)
    total, weight, held_out, spectrum = best, zero, torch.zeros_like(y), spectrum_of(x)
    for strength in STRENGTHS:
        penalty = float(strength * scale)
        guess = left_out(x, y, penalty, spectrum)
        error = (y - guess).square().sum()
        if error < best * (1 - 1e-9):  # not by rounding alone
            best, weight, held_out = error, ridge_map(x, y, penalty, spectrum), guess - y.mean(0)
    explained = 1 - best / total.clamp(min=torch.finfo(y.dtype).tiny)
    return {"weight": weight, "centre": x.mean(0), "mean": y.mean(0), "left_out": held_out, "explained": explained}


def spectrum_of(x: Tensor) -> Spectrum:
    """The spectrum of rows `[n, width]`; negative eigenvalues are set to zero."""
    centred = x - x.mean(0)
    values, vectors = torch.linalg.eigh(centred @ centred.mT)
    return values.clamp(min=0), vectors
