"""Low-rank changes of a network's weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from omnishot.nn.linear import Linear, LowRank


class LoRA(nn.Module):
    """W + Lᵀ R for every linear and convolution weight W of a network, with L initialised to zero.

    A convolution's weight counts as the matrix `[out, in·kernel]`.

    Args:
        network: the network whose weights are changed.
        rank: rows of L and R.

    Paper: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022
    """

    def __init__(self, network: nn.Module, rank: int):
        super().__init__()
        layers = {n: m for n, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)}
        self.names = [f"{name}.weight" for name in layers]
        self.linear = [isinstance(layer, Linear) for layer in layers.values()]
        shapes = [layer.weight.flatten(1).shape for layer in layers.values()]
        self.left = nn.ParameterList(torch.zeros(rank, out) for out, _ in shapes)
        self.right = nn.ParameterList(torch.randn(rank, into) * into**-0.5 for _, into in shapes)

    def changed(self, own: Mapping[str, Tensor], weights: Mapping[str, Any]) -> dict[str, Any]:
        """The changed weights by name in the network; `own` are this module's parameters."""
        changed: dict[str, Any] = {}
        for i, (name, linear) in enumerate(zip(self.names, self.linear, strict=True)):
            weight, left, right = weights[name], own[f"left.{i}"], own[f"right.{i}"]
            # A linear layer takes its weight in any form.
            changed[name] = LowRank(weight, left, right) if linear else weight + (left.mT @ right).view_as(weight)
        return changed
