"""Logistic regression on raw features."""

from __future__ import annotations

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.convex import logistic
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
    fuses = False

    def __init__(self, network: Network, objective: Objective, *, strength: float = 10.0):
        super().__init__(network, objective)
        self.strength = strength

    def fit(self, params: Params, support: Rows) -> State:
        return logistic(self.network.raw(support), support, self.strength)

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return linear(state, self.network.raw(query))
