"""A few rows of the training part that a learner keeps, to hold what it learned from them when it adapts."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.modality.base import Modality


class Memory(nn.Module):
    """Rows as parameters that nothing trains, so that they are wherever a learner's parameters are.

    Args:
        modalities: by input name.
        rows: how many.
        classes: whether the rows' class among all training classes is kept, rather than their number.
    """

    def __init__(self, modalities: Mapping[str, Modality], rows: int, classes: bool):
        super().__init__()
        self.names, self.classes = tuple(modalities), classes
        # By position: a column may have any name.
        self.inputs = nn.ParameterList(constant(m.blank(rows)) for m in modalities.values())
        self.present = constant(torch.zeros(rows, len(self.names), dtype=torch.bool))
        self.target = constant(torch.zeros(rows, dtype=torch.int64) if classes else torch.zeros(rows, 1))
        self.filled = constant(torch.zeros(()))

    def __len__(self) -> int:
        return len(self.present)

    @torch.no_grad()
    def fill(self, rows: Rows) -> None:
        """Keep these rows, as many as there is place for."""
        target = rows.label if self.classes else rows.target
        assert target is not None
        places = [*self.inputs, self.present, self.target]
        for place, kept in zip(places, [*(rows.inputs[n] for n in self.names), rows.present, target], strict=True):
            if place.shape != kept.shape:
                raise ValueError(f"memory of {tuple(place.shape)} cannot keep {tuple(kept.shape)}")
            place.copy_(kept)
        self.filled.fill_(1)

    def rows(self, own: Mapping[str, Tensor]) -> Rows:
        """The rows that `own`, parameters by this module's names for them, hold: `target` or `label`, not both."""
        inputs = {name: own[f"inputs.{i}"] for i, name in enumerate(self.names)}
        rows = Rows(inputs, own["present"])
        return rows.with_tensors({"label" if self.classes else "target": own["target"]})


def constant(x: Tensor) -> nn.Parameter:
    """A parameter that nothing trains."""
    return nn.Parameter(x, requires_grad=False)
