"""Extra shots: every cell of a support row is also a row by itself."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from omnishot.episodes.rows import Rows


def learned_from(support: Rows, extra: bool) -> Rows:
    """The support rows of a task that a learner is given: the rows themselves, or with `extra` shots."""
    return each_alone(support) if extra else support


def each_alone(rows: Rows) -> Rows:
    """The rows, and for every input all of them again with that input alone, with the same target.

    `[..., rows]` become `[..., rows · (1 + inputs)]`. A row that lacks the input is repeated unchanged: every task then
    has as many rows, and no further row is empty. Rows of a single input are returned unchanged.

    Every row is repeated equally often, so each keeps its weight within its class.

    Paper: Lin et al., Multimodality Helps Unimodality: Cross-Modal Few-Shot Learning with Multimodal Models, CVPR 2023
    """
    inputs = len(rows.inputs)
    if inputs == 1:
        return rows

    def again(x: Tensor) -> Tensor:
        return torch.cat([x] * (1 + inputs), rows.present.dim() - 2)

    alone = rows.present.unsqueeze(-3) & torch.eye(inputs, dtype=torch.bool, device=rows.present.device).unsqueeze(-2)
    alone = torch.where(alone.any(-1, keepdim=True), alone, rows.present.unsqueeze(-3))  # [..., inputs, rows, inputs]
    present = torch.cat([rows.present, alone.flatten(-3, -2)], -2)
    return dataclasses.replace(rows.map(again), present=present)
