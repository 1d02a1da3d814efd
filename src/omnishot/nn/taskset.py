"""A permutation-invariant map from a support set to a task vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows, target_of, ways_of
from omnishot.nn.heads import class_mask, class_means
from omnishot.nn.layers import masked_mean
from omnishot.nn.linear import Linear


class TaskSet(nn.Module):
    """Maps the features `[rows, dim]` of a support set and its targets to a task vector `[out]`.

    The result depends neither on the order of rows nor on the numbering of classes. A perceptron reads every element of
    the set, another one the mean of the results. For classes, the elements are the classes that have rows, each as the
    mean of its rows and the variance about it. For numbers, they are the rows with their targets.

    Args:
        dim: width of the features.
        out: width of the task vector.
        targets: how many numbers a row's target has; 0 for classes.
        hidden: width of the hidden layers.

    Paper: Zaheer et al., Deep Sets, NeurIPS 2017
    """

    def __init__(self, dim: int, out: int, targets: int = 0, hidden: int = 64):
        super().__init__()
        self.targets = targets
        width = dim + targets if targets else 2 * dim
        self.each = nn.Sequential(Linear(width, hidden), nn.GELU(), Linear(hidden, hidden), nn.GELU())
        self.all = nn.Sequential(Linear(hidden, hidden), nn.GELU(), Linear(hidden, out))

    def forward(self, features: Tensor, support: Rows) -> Tensor:
        """Features `[rows, dim]` of the support rows -> `[out]`."""
        elements, there = self._rows(features, support) if self.targets else self._classes(features, support)
        return self.all(masked_mean(self.each(elements), there))

    def _rows(self, features: Tensor, support: Rows) -> tuple[Tensor, Tensor]:
        target = target_of(support)
        there = torch.ones_like(target[..., 0], dtype=torch.bool)
        return torch.cat([features, target.to(features.dtype)], -1), there

    def _classes(self, features: Tensor, support: Rows) -> tuple[Tensor, Tensor]:
        target, ways = target_of(support), ways_of(support)
        means = class_means(features, target, ways)
        own = class_mask(target, ways)
        off = features - own.to(features.dtype) @ means
        return torch.cat([means, class_means(off.square(), target, ways)], -1), own.any(-2)
