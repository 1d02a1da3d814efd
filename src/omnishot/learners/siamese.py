"""Siamese networks: pairs of rows, then neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.distances import squared_distances
from omnishot.nn.heads import class_mask
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class Siamese(Learner):
    """Features learned from pairs of rows; a new row is what its nearest support rows are.

    The distance d of two rows is that of their features over √dim, so that it means the same for features of any
    width. For classes the loss is the contrastive one: d² for a pair of one class, max(0, margin − d)² for a pair of
    two, with the mean over either kind weighing half. For numbers, which are not the same or different but more or
    less far apart, ours is (d − |y − y′|)², in standard deviations: distances that tell how far apart the numbers
    are. Pairs are all those of an episode's rows, support and query alike, that have anything present.

    A class's logit is −scale d² of its nearest support row, so that the nearest neighbour's class is the likeliest; a
    class without rows counts as one a little farther away than every row. A number is the mean of those of the
    nearest support rows, weighed by exp(−scale d²).

    Koch et al. learn a weighting of |a − b| and the probability of a pair being of one class; the contrastive loss is
    that of Hadsell et al., Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006.

    Args:
        margin: how far apart rows of two classes are wanted.
        neighbours: how many support rows a number is predicted from; more if others are as near as the last of them.
        scale: how steeply likelihood falls with the squared distance.

    Paper: Koch et al., Siamese Neural Networks for One-shot Image Recognition, ICML Deep Learning Workshop 2015
    """

    serves = ("classify", "regress")

    def __init__(
        self, network: Network, objective: Objective, *, margin: float = 1.0, neighbours: int = 5, scale: float = 10.0
    ):
        super().__init__(network, objective)
        for option, value in (("margin", margin), ("neighbours", neighbours), ("scale", scale)):
            if value <= 0:
                raise UsageError(f"{option}={value}: use a number above 0")
        self.margin, self.neighbours, self.scale = margin, neighbours, scale

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        embedded = self.features(params, support)
        known = support.target if support.ways is None else class_mask(support.target, support.ways)
        return {"embedded": embedded, "known": known.to(embedded.dtype)}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        scores = -self.scale * self._squared(self.features(params, query), state["embedded"])
        if not self.objective.has_classes:
            last = scores.topk(min(self.neighbours, scores.shape[-1])).values[..., -1:]
            return torch.where(scores >= last, scores, torch.finfo(scores.dtype).min).softmax(-1) @ state["known"]
        own = state["known"].mT > 0  # [ways, rows]
        last = scores.amin(-1, keepdim=True) - 1
        return torch.where(own, scores.unsqueeze(-2), last.unsqueeze(-1)).amax(-1)

    def loss(self, params: Params, episode: Episode) -> Tensor:
        """The loss of the episode's pairs."""
        halves = (episode.support, episode.query)
        target = torch.cat([half.target for half in halves if half.target is not None])
        x = torch.cat([self.features(params, half) for half in halves])
        squared = self._squared(x, x)
        distance = (squared + 1e-6).sqrt()  # has a slope where rows are alike
        there = torch.cat([half.present.any(-1) for half in halves])
        pair = (there.unsqueeze(-1) & there).triu(1)
        if not self.objective.has_classes:
            apart = (target.unsqueeze(-2) - target).abs().mean(-1)
            return _mean((distance - apart).square(), pair)
        same = target.unsqueeze(-1) == target
        far = (self.margin - distance).clamp(min=0).square()
        return (_mean(squared, pair & same) + _mean(far, pair & ~same)) / 2

    def _squared(self, a: Tensor, b: Tensor) -> Tensor:
        return squared_distances(a, b).clamp(min=0) / self.network.out


def _mean(x: Tensor, keep: Tensor) -> Tensor:
    """The mean where `keep`; zero if nowhere."""
    return torch.where(keep, x, 0.0).sum() / keep.sum().clamp(min=1)
