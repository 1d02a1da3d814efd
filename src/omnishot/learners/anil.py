"""Almost no inner loop."""

from __future__ import annotations

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.learners.base import Params
from omnishot.learners.maml import HEAD, MAML


class ANIL(MAML):
    """MAML whose inner loop moves the head only; the network is learned across tasks and then stays.

    Paper: Raghu et al., Rapid Learning or Feature Reuse?, ICLR 2020
    """

    def adapted_names(self) -> list[str]:
        return [HEAD + "weight", HEAD + "bias"]

    def known(self, params: Params, rows: Rows) -> Params:
        return {"features": self.features(params, rows)}  # once, for every inner step

    def read(self, known: Params, task: Params, rows: Rows) -> Tensor:
        return known["features"]
