"""A linear model on frozen features."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.convex import logistic, ridge
from omnishot.learners.finetune import FineTune
from omnishot.nn.heads import linear
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class Probe(FineTune):
    """One network trained on all training rows at once, then a linear model of the support rows' frozen features.

    Classes by logistic regression on features of unit length, numbers by ridge regression on the features as they are;
    both by scikit-learn, to the end. The published form without distillation and without augmented support rows.

    Args:
        strength: inverse of the L2 penalty (scikit-learn's C).
        labels: how many training classes there are.

    Paper: Tian et al., Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?, ECCV 2020
    """

    serves: ClassVar[tuple[str, ...]] = ("classify", "regress")
    steps_attribute = None
    initial_state = Learner.initial_state  # refused: a model in closed form has no start

    def __init__(self, network: Network, objective: Objective, *, strength: float = 1.0, labels: int = 0):
        super().__init__(network, objective, labels=labels)
        if not strength > 0:
            raise UsageError(f"strength must be above 0, not {strength!r}")
        self.strength = strength

    def fit(self, params: Params, support: Rows) -> State:
        solve = logistic if self.objective.has_classes else ridge
        return solve(self._frozen(params, support), support, self.strength)

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return linear(state, self.represent(params, state, query))

    def represent(self, params: Params, state: State, rows: Rows) -> Tensor:
        return self._frozen(params, rows)

    def _frozen(self, params: Params, rows: Rows) -> Tensor:
        features = self.features(params, rows)
        return F.normalize(features, dim=-1) if self.objective.has_classes else features
