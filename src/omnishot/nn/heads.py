"""Heads: from the network's features, or its memory, to predictions.

A head gives its task parameters for a support set, which an inner loop may adapt, then applies them. Those of a linear
head are `{"weight": [out, dim], "bias": [out]}`; decoders (`omnishot.nn.decoders`) have others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows, target_of, ways_of
from omnishot.errors import UsageError
from omnishot.nn.linear import affine


def class_mask(target: Tensor, ways: int) -> Tensor:
    """Which row is of which class, as bool `[rows, ways]` (works under vmap, where indexing does not)."""
    return target.unsqueeze(-1) == torch.arange(ways, device=target.device)


def class_means(features: Tensor, target: Tensor, ways: int) -> Tensor:
    """Mean feature vector of every class, `[rows, dim] -> [ways, dim]`; zero for a class without rows."""
    members = class_mask(target, ways).to(features.dtype)
    return (members.transpose(-1, -2) @ features) / members.sum(-2).clamp(min=1).unsqueeze(-1)


def linear(head: dict[str, Tensor], features: Tensor) -> Tensor:
    """Apply task parameters: `[rows, dim] -> [rows, out]`."""
    return affine(features, head["weight"], head["bias"])


class Head(nn.Module):
    """What stands on top of the network."""

    #: The method of the network that gives what the head reads: that for features `[rows, dim]`, or `memory`.
    reads: ClassVar[str] = "__call__"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """By name the task parameters that an inner loop may move, and the shape of a step size for each number.

        Where there are as many of a kind as the task asks for (classes, new words), all share their step sizes.
        """
        raise NotImplementedError

    def start(self, own: dict[str, Tensor], features: Callable[[], Any], support: Rows) -> dict[str, Tensor]:
        """Task parameters for a support set.

        Args:
            own: the head's parameters.
            features: computes what the head reads of the support rows.
        """
        raise NotImplementedError

    def initial_params(self, own: dict[str, Tensor], ways: int | None) -> dict[str, Tensor]:
        """Task parameters for a task of which no row is known, and at most its number of classes.

        Raises:
            UsageError: if there are none before there are support rows.
        """
        raise NotImplementedError

    def needs(self, target: Tensor) -> Tensor | None:
        """How many tokens of a network's memory each text of `target` `[rows, texts, longest]` takes, int64
        `[rows, texts]`; None: any number does."""
        return None

    def predict(self, task: dict[str, Any], features: Any) -> Any:
        """The prediction for rows whose `features` the head reads, under task parameters."""
        raise NotImplementedError


class Affine(Head):
    """A head of one linear layer."""

    def predict(self, task: dict[str, Any], features: Tensor) -> Tensor:
        """`[rows, dim] -> [rows, out]`."""
        return linear(task, features)


class PrototypeHead(Affine):
    """A linear head that starts at the class means, for any number of classes.

    −|f − c|²·s = 2s c·f − s|c|² − s|f|², whose last term is the same for every class, so weight 2sc and bias
    −s|c|² start where a prototypical network stands. Paper: Triantafillou et al., Meta-Dataset, ICLR 2020, §3
    (Proto-MAML).
    """

    def __init__(self, dim: int, scale: float | None = None):
        super().__init__()
        self.dim, self.scale = dim, dim**-0.5 if scale is None else scale

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.dim,), "bias": ()}

    def initial_params(self, own: dict[str, Tensor], ways: int | None) -> dict[str, Tensor]:
        raise UsageError(
            "head='prototype' begins at the class means of the support rows: it predicts nothing before adapting; "
            "one that is learned across tasks does (head='linear')"
        )

    def start(self, own: dict[str, Tensor], features: Callable[[], Tensor], support: Rows) -> dict[str, Tensor]:
        means = class_means(features(), target_of(support), ways_of(support))
        return {"weight": 2 * self.scale * means, "bias": -self.scale * means.square().sum(-1)}


class LinearHead(Affine):
    """A linear head learned across tasks, as published MAML has: its number of outputs is fixed."""

    def __init__(self, dim: int, out: int):
        super().__init__()
        self.out = out
        layer = nn.Linear(dim, out)
        self.weight, self.bias = layer.weight, layer.bias

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": tuple(self.weight.shape), "bias": tuple(self.bias.shape)}

    def start(self, own: dict[str, Tensor], features: Callable[[], Tensor], support: Rows) -> dict[str, Tensor]:
        """The learned parameters themselves, whatever the features are.

        Raises:
            UsageError: if the task has another number of classes than the head.
        """
        return self.initial_params(own, support.ways)

    def initial_params(self, own: dict[str, Tensor], ways: int | None) -> dict[str, Tensor]:
        if ways not in (None, self.out):
            raise UsageError(
                f"this run's linear head is for {self.out} classes, the task has {ways}: adapt to as many, or train "
                "the learner protomaml (or head='prototype'), which takes any number"
            )
        return own
