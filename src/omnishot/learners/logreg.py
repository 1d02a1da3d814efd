"""Logistic regression on raw features."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.learners.base import Learner, Params, State
from omnishot.nn.heads import linear
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class LogReg(Learner):
    """scikit-learn's logistic regression on raw features (pixels, log-mel bands, token counts, numbers).

    Args:
        strength: inverse of the L2 penalty (scikit-learn's C).

    Paper: Cox, The Regression Analysis of Binary Sequences, JRSS B 1958
    """

    meta_trained = False
    transductive = False  # raw features pass through no norm

    def __init__(self, network: Network, objective: Objective, *, strength: float = 10.0):
        super().__init__(network, objective)
        self.strength = strength

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        assert support.ways is not None
        features, target = self.network.raw(support).detach(), support.target.cpu().numpy()
        weight = np.zeros((support.ways, features.shape[1]))
        bias = np.full(support.ways, -1e4)  # a class without a support row is never predicted
        seen = np.unique(target)
        if len(seen) == 1:  # nothing to tell apart, which scikit-learn refuses
            bias[seen] = 0.0
        else:
            # The penalty keeps the weights in the span of the rows: few coordinates instead of many, the same optimum.
            span, coordinates = np.linalg.qr(features.cpu().numpy().T)
            model = LogisticRegression(C=self.strength, max_iter=1000).fit(coordinates.T, target)
            rows, intercepts = model.coef_ @ span.T, model.intercept_
            if len(seen) == 2:  # one row of coefficients, for the second class against the first
                rows, intercepts = np.vstack([-rows, rows]) / 2, np.concatenate([-intercepts, intercepts]) / 2
            weight[seen], bias[seen] = rows, intercepts
        return {"weight": torch.from_numpy(weight).to(features), "bias": torch.from_numpy(bias).to(features)}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return linear(state, self.network.raw(query))
