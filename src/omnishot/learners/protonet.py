"""Prototypical networks."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.learners.base import Learner, Params, State
from omnishot.nn.heads import class_means
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """|a − b|² between all rows: `[n, dim]`, `[m, dim]` -> `[n, m]`."""
    return a.square().sum(-1, keepdim=True) - 2 * a @ b.transpose(-1, -2) + b.square().sum(-1)


class ProtoNet(Learner):
    """The nearest class mean in a learned feature space, by squared Euclidean distance.

    Args:
        scale: what distances are multiplied by before the softmax, 1 as published; None: learned, from 1/√dim on,
            so that wide features do not saturate it at the start (Oreshkin et al., TADAM, NeurIPS 2018, §3.1).

    Paper: Snell et al., Prototypical Networks for Few-shot Learning, NeurIPS 2017
    """

    def __init__(self, network: Network, objective: Objective, *, scale: float | None = None):
        super().__init__(network, objective)
        if scale is None:
            self.log_scale = nn.Parameter(torch.tensor(-0.5 * math.log(network.out)))
        self.scale = scale

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        assert support.ways is not None
        return {"prototypes": class_means(self.features(params, support), support.target, support.ways)}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        scale = params["log_scale"].exp() if self.scale is None else self.scale
        return -scale * squared_distances(self.features(params, query), state["prototypes"])
