"""Prototypical networks."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import choose
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.distances import LIKENESS, SCALE
from omnishot.nn.heads import class_means
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class ProtoNet(Learner):
    """The nearest class mean in a learned feature space.

    Args:
        distance: `euclidean`, squared, as published; or `cosine`, of the angle between a row and the class mean.
        scale: what distances are multiplied by before the softmax, 1 as published; None: learned, from 1/√dim on for
            `euclidean`, so that wide features do not saturate it at the start, and from 10 on for `cosine`, which is
            never more than 1 (Oreshkin et al., TADAM, NeurIPS 2018, §3.1).

    Paper: Snell et al., Prototypical Networks for Few-shot Learning, NeurIPS 2017
    """

    def __init__(
        self, network: Network, objective: Objective, *, distance: str = "euclidean", scale: float | None = None
    ):
        super().__init__(network, objective)
        self.distance, self.scale = choose("distance", distance, LIKENESS), scale
        if scale is None:
            self.log_scale = nn.Parameter(torch.tensor(math.log(SCALE[distance](network.out))))

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        assert support.ways is not None
        return {"prototypes": class_means(self.features(params, support), support.target, support.ways)}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return self.scores(params, self.features(params, query), state["prototypes"])

    def scores(self, params: Params, features: Tensor, prototypes: Tensor) -> Tensor:
        """The logits `[rows, ways]` of rows `[rows, dim]` for class means `[ways, dim]`."""
        scale = params["log_scale"].exp() if self.scale is None else self.scale
        return scale * LIKENESS[self.distance](features, prototypes)
