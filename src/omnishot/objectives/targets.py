"""Targets as learners read them: of a whole table, and of the support rows of one task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import Tensor

from omnishot.episodes.numbering import TaskNumbering
from omnishot.table.table import Table, encode


@dataclass(frozen=True)
class TableTarget:
    """The target of every row of a table.

    Args:
        values: `[rows, …]`; None where tasks number their classes themselves.
        numbering: how a task numbers what is its own; None: `values` mean the same in every task.
        words: words of the target's texts that tasks do not share, by number from the first own word on.
    """

    values: np.ndarray | None = None
    numbering: TaskNumbering | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskTarget:
    """The target of the labelled rows of one task.

    Args:
        values: `[rows, …]`, as the objective's loss takes it.
        classes: the task's classes, or labels, in the order of their numbers; empty where it has none.
        words: the task's own words, in the order of their numbers.
    """

    values: Tensor
    classes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def numbers_of(table: Table) -> np.ndarray:
    """The target columns as float64 `[rows, targets]`, NaN where there is no number."""
    columns = [pd.to_numeric(table.frame[name], errors="coerce") for name in table.schema.targets]
    return np.stack([column.to_numpy(dtype=np.float64) for column in columns], 1)


def codes_of(column: pd.Series | None, rows: int, names: tuple[str, ...]) -> np.ndarray:
    """The class of each of `rows` cells among a task's `names`, int64 `[rows]`; -1 where missing or another class."""
    if column is None:
        return np.full(rows, -1)
    codes, values = encode(column)
    place = {name: number for number, name in enumerate(names)}
    return np.array([place.get(values[code], -1) if code >= 0 else -1 for code in codes], dtype=np.int64)
