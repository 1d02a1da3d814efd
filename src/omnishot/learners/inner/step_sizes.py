"""Step sizes of an inner loop: fixed, or learned across tasks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from omnishot.errors import choose
from omnishot.learners.base import Params

KINDS = ("none", "tensor", "step", "element")


class StepSizes(nn.Module):
    """One for every tensor that the inner loop moves, by name.

    `none`     a number (Finn et al. 2017).
    `tensor`   learned, one a tensor.
    `step`     learned, one a tensor and step (Antoniou et al., How to Train Your MAML, ICLR 2019, §4, LSLR). Steps
               past those trained with take the last one's.
    `element`  learned, one a number of each tensor (Li et al., Meta-SGD, 2017).

    Args:
        kind: one of these.
        start: the number, or where learning begins.
        shapes: of every tensor, by name.
        steps: of the inner loop.
    """

    def __init__(self, kind: str, start: float, shapes: Mapping[str, tuple[int, ...]], steps: int):
        super().__init__()
        self.kind, self.start, self.names = choose("learned_inner_lr", kind, KINDS), float(start), list(shapes)
        if kind == "tensor":
            self.values = nn.Parameter(torch.full((len(shapes),), self.start))
        elif kind == "step":
            self.values = nn.Parameter(torch.full((max(steps, 1), len(shapes)), self.start))
        elif kind == "element":
            self.of = nn.ParameterList(nn.Parameter(torch.full(shape, self.start)) for shape in shapes.values())

    def at(self, own: Params, step: int) -> dict[str, Tensor | float]:
        """The step sizes of one step, by name; `own` are this module's parameters."""
        match self.kind:
            case "tensor":
                values = own["values"].unbind()
            case "step":
                values = own["values"][min(step, len(own["values"]) - 1)].unbind()
            case "element":
                values = tuple(own[f"of.{i}"] for i in range(len(self.names)))
            case _:
                return dict.fromkeys(self.names, self.start)
        return dict(zip(self.names, values, strict=True))
