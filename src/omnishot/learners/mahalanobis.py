"""Class means with the distance of each class's own covariance."""

from __future__ import annotations

import torch
from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.distances import full_precision
from omnishot.nn.heads import class_mask, class_means
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class Mahalanobis(Learner):
    """The nearest class mean, by the Mahalanobis distance of each class's covariance.

    The covariance of a class is Q = λ Σ_class + (1 − λ) Σ_task + β I, with λ = n/(n + 1) for a class of n rows, so
    that few rows lean on the covariance of all support rows; the logit is −½ (x − μ)ᵀ Q⁻¹ (x − μ). A lone row has no
    covariance, which then counts as zero.

    Published beside it are parameters of the encoder that a network writes for each task (CNAPs); here the encoder
    is the same for all tasks.

    Args:
        beta: β, what is added to the diagonal, 1 as published: the larger, the nearer to the Euclidean distance.

    Paper: Bateni et al., Improved Few-Shot Visual Classification, CVPR 2020
    """

    def __init__(self, network: Network, objective: Objective, *, beta: float = 1.0):
        super().__init__(network, objective)
        if beta <= 0:
            raise UsageError(f"beta={beta}: use a number above 0, or few rows have no invertible covariance")
        self.beta = beta

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        assert support.ways is not None
        x = full_precision(self.features(params, support))
        with torch.autocast(x.device.type, enabled=False):
            means = class_means(x, support.target, support.ways)
            own = class_mask(support.target, support.ways).to(x.dtype).mT  # [ways, rows]
            count = own.sum(-1)[:, None, None]
            of_class = covariance(own.unsqueeze(-1) * (x - means.unsqueeze(-2)), count)
            of_task = covariance(x - x.mean(-2), torch.full_like(count[0], len(support)))
            share = count / (count + 1)
            whole = share * of_class + (1 - share) * of_task
            whole = whole + self.beta * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
            # cholesky_ex raises nothing where features are NaN, which the loss then shows
            return {"means": means, "roots": torch.linalg.cholesky_ex(whole)[0]}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        x = full_precision(self.features(params, query))
        off = x - state["means"].unsqueeze(-2)  # [ways, rows, dim]
        with torch.autocast(x.device.type, enabled=False):
            whitened = torch.linalg.solve_triangular(state["roots"], off.mT, upper=False)
        return -0.5 * whitened.square().sum(-2).mT


def covariance(centred: Tensor, count: Tensor) -> Tensor:
    """The covariance `[..., dim, dim]` of `count` centred rows `[..., rows, dim]`; zero for a lone one."""
    return centred.mT @ centred / (count - 1).clamp(min=1)
