"""What every objective is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from omnishot.episodes.rows import Rows


class Objective(ABC):
    """The kind of thing predicted. A prediction is the tensor `[..., rows, out]` that a learner's head gives."""

    name: ClassVar[str]
    #: The metric that selects models, and whether more of it is better.
    metric: ClassVar[str]
    higher_is_better: ClassVar[bool]
    #: Settings that `calibrated` fits to validation episodes.
    fitted: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def outputs(self, ways: int | None) -> int:
        """Width of a fixed head."""

    @abstractmethod
    def loss(self, prediction: Tensor, rows: Rows) -> Tensor:
        """Mean loss over rows, a scalar."""

    @abstractmethod
    def metrics(self, prediction: Tensor, rows: Rows) -> dict[str, float]:
        """Figures of one task's query rows."""

    def pooled(self, episodes: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        """Figures that need all episodes together, as (value, half-width of the 95% interval).

        `episodes` holds a (prediction `[rows, out]`, target) pair for each episode.
        """
        return {}

    def calibrated(self, episodes: Sequence[tuple[np.ndarray, np.ndarray]]) -> Self:
        """This objective with the `fitted` settings that suit validation episodes best, given as for `pooled`."""
        return self

    def to_json(self) -> dict[str, Any]:
        """The settings, with the name."""
        return {"name": self.name}
