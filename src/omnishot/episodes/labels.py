"""Labels of a task: those of its support rows, which may have several each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Stands for a label that a task does not have.
NONE = -1


@dataclass(frozen=True)
class OwnLabels:
    """Numbers the labels of each task anew, with the same number of places in every task.

    Args:
        most: largest number of labels of a task. Those with the most support rows are kept; of equally frequent ones,
            those that are first in the table.
    """

    most: int

    def of(self, support: np.ndarray) -> np.ndarray:
        """The labels of one task's support rows `[rows, labels a row]` (padded by `NONE`), in the table's order."""
        labels, rows = np.unique(support[support != NONE], return_counts=True)
        return np.sort(labels[np.argsort(-rows, kind="stable")][: self.most])

    def multi_hot(self, rows: np.ndarray, own: np.ndarray, places: int) -> np.ndarray:
        """Which of the task's `own` labels each row has, float32 `[rows, places]`: 1 or 0, `NONE` in unused places."""
        labels = np.full((len(rows), places), NONE, np.float32)
        labels[:, : len(own)] = (rows[:, :, None] == own).any(1)
        return labels

    def of_tasks(self, support: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`multi_hot` of both halves of a meta-batch `[tasks, rows, labels per row]`, as wide as its widest task."""
        own = [self.of(rows) for rows in support]
        places = max(1, *map(len, own))
        return tuple(
            np.stack([self.multi_hot(rows, labels, places) for rows, labels in zip(half, own, strict=True)])
            for half in (support, query)
        )  # type: ignore[return-value]
