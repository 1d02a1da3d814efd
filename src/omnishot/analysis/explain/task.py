"""The task that is explained: its support rows and its query rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from omnishot.episodes.missing import remove
from omnishot.episodes.rows import Rows
from omnishot.episodes.shots import learned_from
from omnishot.episodes.store import Store
from omnishot.learners.base import Learner, State
from omnishot.table.table import Table


@dataclass(frozen=True)
class TaskRows:
    """The support rows or the query rows of a task.

    Args:
        store: the decoded table.
        index: which rows of the store, `[rows]`.
        rows: the batch that the learner reads, on the CPU.
        numbers: the row numbers shown to users, `[rows]` (`Table.row_number`).
        extra_shots: whether a learner also gets every single cell as a support row of its own.
    """

    store: Store
    index: np.ndarray
    rows: Rows
    numbers: tuple[int, ...]
    extra_shots: bool = False

    def __len__(self) -> int:
        return len(self.index)

    @property
    def present(self) -> np.ndarray:
        """Which cells the learner reads, bool `[rows, inputs]`."""
        return self.rows.present.numpy()

    def learned_from(self) -> Rows:
        """The support rows as a learner is adapted to them."""
        return learned_from(self.rows, self.extra_shots)


@dataclass(frozen=True)
class Task:
    """A learner adapted to a task, and the task's rows.

    Args:
        classes: names of the classes; empty where a number is predicted.
        support: None where the support rows are not known, as of a saved model.
        query_target: targets of the query rows, `[rows]`: classes, -1 where unknown; or numbers in the target's own
            unit, NaN where unknown.
        target: name of the target.
        description: where the rows come from.
        notes: warnings for the user.
    """

    learner: Learner
    state: State
    classes: tuple[str, ...]
    query: TaskRows
    support: TaskRows | None
    query_target: np.ndarray
    target: str
    description: str
    notes: tuple[str, ...] = ()

    @property
    def support_target(self) -> np.ndarray:
        """Targets of the support rows, as `query_target`; empty without support rows."""
        if self.support is None or self.support.rows.target is None:
            return self.query_target[:0]
        return self.learner.objective.target_value(self.support.rows.target)

    @property
    def has_target(self) -> np.ndarray:
        """Which query rows have a known target, bool `[rows]`."""
        return self.query_target >= 0 if self.classes else np.isfinite(self.query_target)


def task_rows(table: Table, store: Store, index: np.ndarray, target: Tensor | None, ways: int | None) -> TaskRows:
    """The rows `index` of a decoded table with their target, `[rows]` or `[rows, 1]`."""
    rows = store.gather(index)
    numbers = tuple(table.row_number(int(row)) for row in index)
    return TaskRows(store, index, Rows(rows.inputs, rows.present, target, None, ways), numbers)


def without_cells(rows: TaskRows, missing: Mapping[str, float], rng: np.random.Generator) -> TaskRows:
    """The rows with a share of their cells removed (see `omnishot.episodes.missing.remove`)."""
    if not missing:
        return rows
    present = torch.from_numpy(remove(rows.present, list(rows.store.modalities), missing, rng))
    batch = dataclasses.replace(rows.rows, present=present)
    return dataclasses.replace(rows, rows=batch)


def adapt(learner: Learner, support: TaskRows) -> State:
    """The state of a learner adapted to support rows."""
    return learner.adapt(support.learned_from().to(learner.device))
