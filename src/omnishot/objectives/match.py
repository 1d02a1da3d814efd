"""Pairs: how alike two inputs are, as people judge."""

from __future__ import annotations

import numpy as np

from omnishot.metrics.relatedness import relatedness_figures
from omnishot.objectives.regress import Regress


class Match(Regress):
    """How alike the two inputs of a row are, a number; Pearson's and Spearman's correlation and the squared error.

    These are over the pairs of all tasks together, in the target's own unit; Pearson's, by which SemEval 2014 ranked
    (Marelli et al., task 1), selects models. Where the target is a relation of the two (one entails, contradicts, says
    nothing of the other) matching is `classify`, whose accuracy counts. Without a group column a task is pairs drawn
    from all of a part. Unless said, the inputs are compared by the fusion `pair` and inputs of one kind share an
    encoder.
    """

    name = "match"
    metric = "pearson"

    def aggregate(self, episodes: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        return relatedness_figures([(p * self.std + self.mean, t * self.std + self.mean) for p, t in episodes])
