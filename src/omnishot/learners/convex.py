"""Linear models fitted to few rows by scikit-learn, to the end: what `logreg` and `probe` share."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor

from omnishot.episodes.rows import Rows


def logistic(features: Tensor, support: Rows, strength: float) -> dict[str, Tensor]:
    """Multinomial logistic regression with an L2 penalty as a linear head; a class without a row is never predicted.

    Args:
        features: of the support rows, `[rows, dim]`; nothing is differentiated through.
        strength: inverse of the penalty (scikit-learn's C).
    """
    assert support.target is not None
    assert support.ways is not None
    features, target = features.detach(), support.target.cpu().numpy()
    weight = np.zeros((support.ways, features.shape[1]))
    bias = np.full(support.ways, -1e4)
    classes = np.unique(target)
    if len(classes) == 1:  # nothing to tell apart, which scikit-learn refuses
        bias[classes] = 0.0
    else:
        # The penalty keeps the weights in the span of the rows: few coordinates instead of many, the same optimum.
        basis, coordinates = np.linalg.qr(features.cpu().numpy().T)
        model = LogisticRegression(C=strength, max_iter=1000).fit(coordinates.T, target)
        rows, intercepts = model.coef_ @ basis.T, model.intercept_
        if len(classes) == 2:  # one row of coefficients, for the second class against the first
            rows, intercepts = np.vstack([-rows, rows]) / 2, np.concatenate([-intercepts, intercepts]) / 2
        weight[classes], bias[classes] = rows, intercepts
    return {"weight": torch.from_numpy(weight).to(features), "bias": torch.from_numpy(bias).to(features)}


def ridge(features: Tensor, support: Rows, strength: float) -> dict[str, Tensor]:
    """Least squares with an L2 penalty as a linear head; arguments as for `logistic`, the penalty is 1 / `strength`."""
    assert support.target is not None
    features = features.detach()
    x, y = (t.double().cpu().numpy() for t in (features, support.target))
    model = Ridge(alpha=1 / strength).fit(x, y)
    weight, bias = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    return {"weight": torch.from_numpy(weight).to(features), "bias": torch.from_numpy(bias).to(features)}
