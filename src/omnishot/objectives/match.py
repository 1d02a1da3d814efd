"""Pairs: how alike two inputs are, as people judge."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from omnishot.metrics.relatedness import relatedness_figures
from omnishot.objectives.regress import Regress
from omnishot.table.splits import PARTS
from omnishot.table.table import Table
from omnishot.table.targets import OF_ROWS

#: Options of a training that compares two inputs.
PAIRED = MappingProxyType({"fusion": "pair", "shared": True})


def pairs_of_parts(parts: np.ndarray) -> np.ndarray:
    """The task of each row, int64 `[rows]`, where a task is any pairs of a part; -1 for a row of no part."""
    return np.array([PARTS.index(part) if part else -1 for part in parts])


class Match(Regress):
    """How alike the two inputs of a row are, a number; Pearson's and Spearman's correlation and the squared error.

    These are over the pairs of all tasks together, in the target's own unit. Pearson's correlation, by which SemEval
    2014 ranked its entries (Marelli et al., task 1), selects models. Where the target is a relation of the two inputs
    (entailment, contradiction, neutral) it is a class: `relate`. Without a group column a task is pairs drawn from all
    of a part. By default the fusion `pair` compares the inputs, and inputs of one kind share an encoder.
    """

    name = "match"
    metric = "pearson"
    tasks_of = OF_ROWS
    several_targets = False
    defaults = MappingProxyType({**Regress.defaults, **PAIRED})

    def group_rows(self, table: Table, parts: np.ndarray, seed: int) -> np.ndarray:
        return pairs_of_parts(parts)

    def aggregate(self, episodes: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        return relatedness_figures([(p * self.std + self.mean, t * self.std + self.mean) for p, t in episodes])
