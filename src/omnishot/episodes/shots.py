"""Extra shots: every cell of a support row as a row of its own."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from omnishot.episodes.rows import Rows


def learned_from(support: Rows, extra: bool) -> Rows:
    """What a learner is given for the support rows of a task: themselves, or with `extra` shots."""
    return each_alone(support) if extra else support


def each_alone(rows: Rows) -> Rows:
    """The rows, and then for every input all of them again with that input alone, under the same target.

    `[..., rows]` become `[..., rows · (1 + inputs)]`. Where a row lacks the input it is repeated as it is: every task
    has as many rows, and no row is empty that was not. Rows of a single input are left as they are.

    Every row is repeated as often as any other, so rows keep their shares of their class.

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
