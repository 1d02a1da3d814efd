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

    Of fewer rows than the features are wide, Q is βI + Vᵀ V with fewer rows V, and only V Vᵀ + βI is decomposed
    (Woodbury): for u = (V Vᵀ + βI)⁻¹ V z the distance of z is |z − Vᵀ u|²/β + |u|².

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
            spread = spreads(x, means, class_mask(support.target, support.ways).to(x.dtype).mT)
            few = x.shape[-2] < x.shape[-1]
            gram = spread @ spread.mT if few else spread.mT @ spread
            # cholesky_ex raises nothing where features are NaN, which the loss then shows
            root = torch.linalg.cholesky_ex(
                gram + self.beta * torch.eye(gram.shape[-1], dtype=x.dtype, device=x.device)
            )[0]
        return {"means": means, "root": root} | ({"spread": spread} if few else {})

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        x = full_precision(self.features(params, query))
        off = (x - state["means"].unsqueeze(-2)).mT  # [ways, dim, rows]
        with torch.autocast(x.device.type, enabled=False):
            if "spread" not in state:
                whitened = torch.linalg.solve_triangular(state["root"], off, upper=False)
                return -0.5 * whitened.square().sum(-2).mT
            inside = torch.cholesky_solve(state["spread"] @ off, state["root"])
            residual = off - state["spread"].mT @ inside
        return -0.5 * (residual.square().sum(-2) / self.beta + inside.square().sum(-2)).mT


def spreads(x: Tensor, means: Tensor, own: Tensor) -> Tensor:
    """For every class the rows V `[ways, rows, dim]` of which λ Σ_class + (1 − λ) Σ_task is Vᵀ V.

    With c and t the rows less the mean of their class and of all, and P the projection that leaves c of t, it is
    tᵀ (a P + b) t for a = λ/(n_class − 1), b = (1 − λ)/(n − 1); the root of a P + b is √b + (√(a + b) − √b) P.

    Args:
        x: the support rows' features `[rows, dim]`.
        means: those of the classes `[ways, dim]`.
        own: which row is of which class, as 0 or 1 `[ways, rows]`.
    """
    count = own.sum(-1)[:, None, None]
    a = count / (count + 1) / (count - 1).clamp(min=1)
    b = 1 / (count + 1) / max(len(x) - 1, 1)
    of_class = own.unsqueeze(-1) * (x - means.unsqueeze(-2))
    return b.sqrt() * (x - x.mean(-2)) + ((a + b).sqrt() - b.sqrt()) * of_class
