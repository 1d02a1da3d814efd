"""Conditional neural processes."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Params, State
from omnishot.nn.attend import attend, check_heads
from omnishot.nn.heads import class_mask, class_means
from omnishot.nn.layers import mask
from omnishot.nn.linear import Linear
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class MLP(nn.Sequential):
    """Linear layers with ReLU between them, `[..., widths[0]] -> [..., widths[-1]]`."""

    def __init__(self, *widths: int, bias: bool = True):
        """`bias`: whether the last layer has one."""
        sizes = [*pairwise(widths)]
        parts = [part for i, o in sizes[:-1] for part in (Linear(i, o), nn.ReLU())]
        super().__init__(*parts, Linear(*sizes[-1], bias=bias))


class CrossAttention(nn.Module):
    """What stands at other rows' values, by how alike the features are, for every row that asks."""

    def __init__(self, dim: int, width: int, heads: int):
        super().__init__()
        check_heads(width, heads)
        self.heads = heads
        self.place = MLP(dim, width, width)
        self.q, self.v, self.out = (Linear(width, width) for _ in range(3))
        self.k = Linear(width, width, bias=False)  # a bias would add as much to every row's score

    def forward(self, query: Tensor, features: Tensor, values: Tensor, keep: Tensor | None) -> Tensor:
        """`[queries, dim]`, `[rows, dim]`, `[rows, width]` -> `[..., queries, width]`; `keep` as `attend` takes it."""
        q, k = self.q(self.place(query)), self.k(self.place(features))
        return self.out(attend(q, k, self.v(values), self.heads, keep=keep))


class CNP(Learner):
    """Support rows are encoded one by one and averaged; a decoder reads the average beside a query row.

    Numbers are answered with a mean and a deviation, trained by their Gaussian likelihood; the mean is the prediction.
    For classes the published form puts the averages of a fixed number of classes side by side. Here the decoder reads
    one class at a time, its average and the mean of all classes' averages, and gives its logit: any number of classes,
    none of them before another.

    Args:
        attentive: average by each query row's attention to the support rows instead of alike (Kim et al., Attentive
            Neural Processes, ICLR 2019; without its self-attention and latent path). For classes, within each class.
        layers: linear layers of the encoder and of the decoder each.
        width: of these layers and of the averages, a multiple of `heads` if attentive.
        heads: of the attention.

    Paper: Garnelo et al., Conditional Neural Processes, ICML 2018
    """

    serves = ("classify", "regress")

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        attentive: bool = False,
        layers: int = 3,
        width: int = 128,
        heads: int = 4,
    ):
        super().__init__(network, objective)
        if layers < 1 or width < 1:
            raise UsageError(f"a neural process of {layers} layers of width {width}: use 1 or more of both")
        self.attentive = attentive
        inside = [width] * (layers - 1)
        if objective.has_classes:
            self.encoder = MLP(network.out, *inside, width)
            # A last bias would add as much to every class.
            self.decoder = MLP(network.out + 2 * width, *inside, 1, bias=False)
        else:
            numbers = objective.outputs(None)
            self.encoder = MLP(network.out + numbers, *inside, width)
            self.decoder = MLP(network.out + width, *inside, 2 * numbers)
        if attentive:
            self.attention = CrossAttention(network.out, width, heads)

    @property
    def splits(self) -> bool:
        return self.objective.has_classes

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        features = self.features(params, support)
        if not self.splits:
            rows = self.part("encoder", params, torch.cat([features, support.target], -1))
            return {"features": features, "rows": rows} if self.attentive else {"mean": rows.mean(-2)}
        assert support.ways is not None
        rows = self.part("encoder", params, features)
        members = class_mask(support.target, support.ways).to(rows.dtype)
        if self.attentive:
            return {"features": features, "rows": rows, "members": members}
        return {"means": class_means(rows, support.target, support.ways), "members": members}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        features = self.features(params, query)
        if not self.splits:
            return self._gaussian(params, state, features)[0]
        there = state["members"].amax(-2) > 0  # [ways]
        if self.attentive:
            keep = state["members"].transpose(-1, -2)[:, None, None, :] > 0
            read = mask(self._attend(params, state, features, keep), there)
        else:
            read = state["means"].unsqueeze(-2).expand(-1, len(features), -1)
        overall = read.sum(0) / there.sum().clamp(min=1)  # of classes that have rows; the others' are zero
        parts = [t.expand(len(there), -1, -1) for t in (features, read, overall)]
        return self.part("decoder", params, torch.cat(parts, -1)).squeeze(-1).transpose(-1, -2)

    def loss(self, params: Params, episode: Episode) -> Tensor:
        if self.splits:
            return super().loss(params, episode)
        assert episode.query.target is not None
        state = self.fit(params, episode.support)
        mean, deviation = self._gaussian(params, state, self.features(params, episode.query))
        off = (episode.query.target - mean) / deviation
        return (off.square() / 2 + deviation.log() + math.log(2 * math.pi) / 2).mean()

    def _gaussian(self, params: Params, state: State, features: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the deviation of the number of each row, `[rows, numbers]` both."""
        read = self._attend(params, state, features, None) if self.attentive else state["mean"]
        both = torch.cat([features, read.expand(len(features), -1)], -1)
        mean, raw = self.part("decoder", params, both).chunk(2, -1)
        return mean, 0.1 + 0.9 * F.softplus(raw)  # bounded below as published

    def _attend(self, params: Params, state: State, features: Tensor, keep: Tensor | None) -> Tensor:
        return self.part("attention", params, features, state["features"], state["rows"], keep)
