"""Matching networks."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.distances import unit
from omnishot.nn.heads import class_mask
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class Matching(Learner):
    """Attention over the support rows: their labels, mixed by how alike they are to the row asked about.

    The attention is the softmax over support rows of their cosine with the row; a class's probability is the
    attention that its rows get together, and a number is the mean of the support numbers under it. A class without
    rows counts as one row opposite to the row asked about, of which the others know nothing.

    Published is also a variant with full context embeddings, which reads the support rows in sequence with an LSTM.
    It is left out: its predictions depend on the order that the support rows happen to come in.

    Args:
        scale: what cosines are multiplied by before the softmax, 1 as published; None: learned, from 10 on, as
            cosines alone, which are never more than 1, leave the attention nearly flat.

    Paper: Vinyals et al., Matching Networks for One Shot Learning, NeurIPS 2016
    """

    serves = ("classify", "regress")

    def __init__(self, network: Network, objective: Objective, *, scale: float | None = None):
        super().__init__(network, objective)
        if scale is not None and scale <= 0:
            raise UsageError(f"scale={scale}: use a number above 0, or None to learn it")
        if scale is None:
            self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.scale = scale

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        embedded = unit(self.features(params, support))
        known = support.target if support.ways is None else class_mask(support.target, support.ways)
        return {"embedded": embedded, "known": known.to(embedded.dtype)}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        scale = params["log_scale"].exp() if self.scale is None else self.scale
        scores = scale * unit(self.features(params, query)) @ state["embedded"].mT
        if not self.objective.has_classes:
            return scores.softmax(-1) @ state["known"]
        own = state["known"].mT > 0  # [ways, rows]
        of_class = torch.where(own, scores.unsqueeze(-2), torch.finfo(scores.dtype).min).logsumexp(-1)
        return torch.where(own.any(-1), of_class, -scale) - scores.logsumexp(-1, keepdim=True)
