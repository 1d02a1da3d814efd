"""What reports and explanations read of a learner, beside its predictions."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.learners.functional import Functional, Params

#: A tree (nested dicts) of tensors: what a learner has learned of one task.
State = dict[str, Any]


class Inspectable(Functional):
    """A learner that can be looked into."""

    def notes(self, state: State) -> dict[str, str]:
        """Remarks for people about how a task was learned, by name."""
        return {}

    def start(self, params: Params, support: Rows) -> Params:
        """Where `fit` begins on these support rows, by parameter name, as far as it differs from `params`."""
        return {}

    def adapted(self, params: Params, state: State) -> Params:
        """`params`, with the values that a task's state holds under the same names in their place."""
        return {**params, **{name: value for name, value in state.items() if name in params}}

    def represent(self, params: Params, state: State, rows: Rows) -> Tensor:
        """The features `[rows, dim]` in which an adapted task compares rows."""
        return self.features(self.adapted(params, state), rows)

    def embeddings(self, params: Params, rows: Rows) -> Tensor:
        """The embedding of every input of every row before fusion, `[rows, inputs, dim]`, under `params`."""
        return self.part("network", params, rows, method="embeddings")

    def embedding(self, params: Params, name: str, cells: Tensor, present: Tensor) -> Tensor:
        """Embeddings `[rows, dim]` of cells `[rows, *cell]` of the input `name`, in the space that all inputs share.

        Rows whose cell is absent (`present` is bool `[rows]`) get zeros.
        """
        return self.part("network", params, name, cells, present, method="embedding")
