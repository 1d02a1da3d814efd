"""Relations of pairs: which class the two inputs of a row stand in."""

from __future__ import annotations

import numpy as np

from omnishot.objectives.classify import Classify
from omnishot.objectives.match import PAIRED, pairs_of_parts
from omnishot.table.table import Table
from omnishot.table.targets import OF_ROWS


class Relate(Classify):
    """The relation of the two inputs of a row, a class: one entails the other, contradicts it, or neither.

    `classify` on the tasks and with the fusion of `match`: without a group column a task is pairs drawn from all of a
    part, whose classes are the same in every task.
    """

    name = "relate"
    tasks_of = OF_ROWS
    defaults = PAIRED

    def group_rows(self, table: Table, parts: np.ndarray, seed: int) -> np.ndarray:
        return pairs_of_parts(parts)
