"""Ridge regression as a differentiable head."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.distances import full_precision
from omnishot.nn.heads import class_mask
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


def ridge(x: Tensor, y: Tensor, strength: Tensor) -> Tensor:
    """The weights `[dim, out]` that minimise |x w − y|² + strength |w|², for `x` `[rows, dim]`, `y` `[rows, out]`.

    w = (xᵀx + λ)⁻¹ xᵀy = xᵀ (xxᵀ + λ)⁻¹ y (Woodbury); the smaller of the two systems is solved.
    """
    few = x.shape[-2] < x.shape[-1]
    gram = x @ x.mT if few else x.mT @ x
    system = gram + strength * torch.eye(gram.shape[-1], dtype=x.dtype, device=x.device)
    factor = torch.linalg.cholesky_ex(system)[0]  # raises nothing where features are NaN, which the loss then shows
    return x.mT @ torch.cholesky_solve(y, factor) if few else torch.cholesky_solve(x.mT @ y, factor)


class R2D2(Learner):
    """Ridge regression on the support rows' features, solved in closed form and differentiated through.

    Classes are regressed as one-hot vectors, whose predictions, times a learned scale and plus a learned bias, are
    the logits (in which the bias, the same for every class, is idle); numbers are regressed as they are. A constant
    feature beside the others gives the intercept, which is penalised with the rest. A task may have any number of
    classes.

    Args:
        ridge: where the learned strength of the penalty starts.
        scale: where the learned scale of the predictions starts; None: 10 for one-hot vectors, which must fill the
            range of logits, 1 for numbers.

    Paper: Bertinetto et al., Meta-learning with Differentiable Closed-form Solvers, ICLR 2019
    """

    serves = ("classify", "regress")

    def __init__(self, network: Network, objective: Objective, *, ridge: float = 1.0, scale: float | None = None):
        super().__init__(network, objective)
        if scale is None:
            scale = 10.0 if objective.has_classes else 1.0
        for option, value in (("ridge", ridge), ("scale", scale)):
            if value <= 0:
                raise UsageError(f"{option}={value}: use a number above 0")
        self.log_ridge = nn.Parameter(torch.tensor(math.log(ridge)))
        self.scale = nn.Parameter(torch.tensor(float(scale)))
        self.bias = nn.Parameter(torch.zeros(()))

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        x = self._widened(params, support)
        y = support.target if support.ways is None else class_mask(support.target, support.ways)
        with torch.autocast(x.device.type, enabled=False):
            return {"weight": ridge(x, y.to(x.dtype), params["log_ridge"].exp())}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return params["scale"] * (self._widened(params, query) @ state["weight"]) + params["bias"]

    def _widened(self, params: Params, rows: Rows) -> Tensor:
        """The features and a one, `[rows, dim + 1]`."""
        x = full_precision(self.features(params, rows))
        return torch.cat([x, torch.ones_like(x[..., :1])], -1)
