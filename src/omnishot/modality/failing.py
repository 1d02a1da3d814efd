"""Helpers for sensor failures, which several modalities use."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from omnishot.modality.base import random_like
from omnishot.modality.standard import FURTHEST

LATEST = 0.5  # of a recording's length: how late it may be


def one_of(count: int, cells: Sequence[int], generator: torch.Generator, to: Tensor) -> Tensor:
    """One of `count` choices for each cell, at random: bool `[*cells, count]`, on the device of `to`."""
    chosen = (random_like(torch.rand, (*cells, 1), generator, to) * count).long()
    return chosen == torch.arange(count, device=to.device)


def two_exchanged(count: int, cells: Sequence[int], generator: torch.Generator, to: Tensor) -> Tensor:
    """The numbers 0 … `count - 1` in order with two of them exchanged: int64 `[*cells, count]`."""
    luck = random_like(torch.rand, (*cells, count), generator, to)
    one, other = luck.argsort(-1)[..., :2].split(1, -1)
    own = torch.arange(count, device=to.device)
    return torch.where(own == one, other, torch.where(own == other, one, own))


def rewired(
    values: Tensor, there: Tensor, order: Tensor, mean: Sequence[float], std: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Standardised `values` `[..., n]` and which are present, each read from the place that `order` `[..., n]` gives.

    A value stays the same in its own unit, so its standardised value changes with the new place's mean and deviation.
    """
    own = torch.arange(values.shape[-1], device=values.device)
    mean_, std_ = (torch.tensor(statistic[: values.shape[-1]]).to(values) for statistic in (mean, std))
    order = order.expand(values.shape)
    read = ((values * std_ + mean_).gather(-1, order) - mean_) / std_
    there = there.gather(-1, order)
    return torch.where(order == own, values, read.clamp(-FURTHEST, FURTHEST) * there), there
