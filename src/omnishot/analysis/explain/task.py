"""The task that is looked into: rows that it was learned from, and rows that it answers."""

from __future__ import annotations

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
class Part:
    """Some rows of a decoded table.

    Args:
        store: the table.
        index: `[rows]`, which of its rows.
        rows: the same as the learner sees them, in this machine's memory.
        numbers: what a person calls each, `[rows]`.
        extra_shots: whether every cell counts as a row of its own too, when they are learned from.
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
        """Which cells the learner was shown, bool `[rows, inputs]`."""
        return self.rows.present.numpy()

    def learned_from(self) -> Rows:
        """The rows that a learner is given to learn from them."""
        return learned_from(self.rows, self.extra_shots)


@dataclass(frozen=True)
class Task:
    """A learner that has learned a task, and rows to answer.

    Args:
        names: of the classes; empty where a number is predicted.
        support: None where it is not at hand.
        truth: of the query rows: classes, -1 where unknown; or numbers in their own unit, NaN where unknown.
        target: what is predicted.
        said: where the rows come from.
        notes: what else should be known of them.
    """

    learner: Learner
    state: State
    names: tuple[str, ...]
    query: Part
    support: Part | None
    truth: np.ndarray
    target: str
    said: str
    notes: tuple[str, ...] = ()

    @property
    def taught(self) -> np.ndarray:
        """The targets of the support rows as `truth` has those of the query rows; empty without support rows."""
        if self.support is None or self.support.rows.target is None:
            return self.truth[:0]
        return in_own_unit(self.learner, self.support.rows.target)

    @property
    def known(self) -> np.ndarray:
        """Of which query rows the truth is known, bool `[rows]`."""
        return self.truth >= 0 if self.names else np.isfinite(self.truth)


def part_of(
    table: Table,
    store: Store,
    index: np.ndarray,
    target: Tensor | None,
    ways: int | None,
    missing: Mapping[str, float] | None = None,
    rng: np.random.Generator | None = None,
) -> Part:
    rows = store.gather(index)
    present = rows.present
    if missing:
        assert rng is not None
        present = torch.from_numpy(remove(present.numpy(), list(store.modalities), missing, rng))
    numbers = tuple(table.row_number(int(row)) for row in index)
    return Part(store, index, Rows(rows.inputs, present, target, None, ways), numbers)


def learned(
    learner: Learner,
    support: Part,
    query: Part,
    names: tuple[str, ...],
    target: str | None,
    said: str,
    truth: np.ndarray | None = None,
    notes: tuple[str, ...] = (),
) -> Task:
    state = learner.adapt(support.learned_from().to(learner.device))
    if truth is None:
        assert query.rows.target is not None
        truth = in_own_unit(learner, query.rows.target)
    return Task(learner, state, names, query, support, truth, target or "", said, notes)


def in_own_unit(learner: Learner, target: Tensor) -> np.ndarray:
    """A target `[rows]` or `[rows, 1]` as classes, or as numbers in their own unit, `[rows]`."""
    return learner.objective.target_value(target)
