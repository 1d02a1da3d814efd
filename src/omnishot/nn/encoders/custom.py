"""Any module as an encoder."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.modality.base import Modality
from omnishot.nn.encoders.base import Encoder


class CustomEncoder(Encoder):
    """A user's module: it reads normalised cells `[rows, *cell]` of one input and gives `[rows, width]`.

    Args:
        made_by: a module, which is copied for each network; or a class or function that makes one. It is called with
            the options, and with the fitted modality first if it has a parameter without a default.
    """

    def __init__(self, modality: Modality, made_by: nn.Module | Callable[..., nn.Module], **options: Any):
        super().__init__()
        if isinstance(made_by, nn.Module):
            self.module = copy.deepcopy(made_by)
        else:
            self.module = made_by(*([modality] if _takes_modality(made_by) else []), **options)
        cells = modality.blank(2)
        with torch.no_grad():
            output = self.module.eval()(cells)
        if not isinstance(output, Tensor) or output.shape[:-1] != (2,):
            shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise UsageError(
                f"an encoder gives a vector for each row: of cells {list(cells.shape)}, {type(self.module).__name__} "
                f"gives {shape} instead of [2, width]"
            )
        self.out = output.shape[-1]

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)


def _takes_modality(made_by: Callable[..., nn.Module]) -> bool:
    parameters = inspect.signature(made_by).parameters.values()
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
