"""Where tasks come from: sampled classes, or the groups of a group column.

A source holds row numbers in index form, so drawing a task costs the same in a table of a hundred rows and of ten
million. Every draw takes an explicit random generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnishot.errors import DataError


@dataclass(frozen=True)
class Draw:
    """Tasks of equal shape, as row numbers: `support` `[tasks, rows]`, `query` `[tasks, rows]`.

    Targets are classes within the task (`[tasks, rows]`), or None where the target is read from the table.
    """

    support: np.ndarray
    query: np.ndarray
    support_target: np.ndarray | None = None
    query_target: np.ndarray | None = None
    ways: int | None = None


class Index:
    """Row numbers by key: the rows of key k are `order[starts[k]:starts[k + 1]]`."""

    def __init__(self, keys: np.ndarray, rows: np.ndarray):
        """`keys` int `[n]` of the row numbers `rows` `[n]`; keys need not be consecutive."""
        self.keys, codes = np.unique(keys, return_inverse=True)
        self.order = rows[np.argsort(codes, kind="stable")]
        self.counts = np.bincount(codes, minlength=len(self.keys))
        self.starts = np.concatenate([[0], np.cumsum(self.counts)])

    def __len__(self) -> int:
        return len(self.keys)

    def sample(self, rng: np.random.Generator, position: int, n: int) -> np.ndarray:
        """`n` different rows of the key at `position`.

        Raises:
            DataError: if it has fewer.
        """
        if n > self.counts[position]:
            raise DataError(
                f"a task needs {n} different rows (shots and queries) of each class or group, "
                f"one has {self.counts[position]}: add rows to it, or ask for fewer shots or queries"
            )
        return self.order[self.starts[position] + distinct(rng, self.counts[position], n)]


def distinct(rng: np.random.Generator, population: int, n: int) -> np.ndarray:
    """`n` different numbers below `population`, in random order, in time that does not grow with `population`."""
    if n > population:
        raise ValueError(f"cannot draw {n} different numbers below {population}")
    if 3 * n >= population:
        return rng.permutation(population)[:n]
    drawn: dict[int, None] = {}
    while len(drawn) < n:  # fewer than a third is taken, so a draw is new more often than not
        drawn.update(dict.fromkeys(rng.integers(population, size=n - len(drawn)).tolist()))
    return np.fromiter(drawn, dtype=np.int64, count=n)


def split_classes(rows: np.ndarray, shots: int) -> Draw:
    """Rows `[tasks, ways, shots + queries]` to a draw: the first `shots` of each class support, the others query."""
    tasks, ways, each = rows.shape

    def targets(n: int) -> np.ndarray:
        return np.broadcast_to(np.repeat(np.arange(ways), n), (tasks, ways * n))

    support, query = rows[:, :, :shots], rows[:, :, shots:]
    return Draw(support.reshape(tasks, -1), query.reshape(tasks, -1), targets(shots), targets(each - shots), ways)


class ClassTasks:
    """A task is `ways` classes drawn at random, each with `shots` support and `queries` query rows."""

    def __init__(self, codes: np.ndarray, rows: np.ndarray):
        """`codes` int `[n]`: the class of each of the row numbers `rows`."""
        self.index = Index(codes, rows)

    def draw(self, rng: np.random.Generator, tasks: int, ways: int, shots: int, queries: int) -> Draw:
        """Draw tasks; raises DataError where a class or the source is too small."""
        if ways > len(self.index):
            raise DataError(f"{ways} ways need {ways} classes, this part of the table has {len(self.index)}")
        drawn = np.empty((tasks, ways, shots + queries), dtype=np.int64)
        for task in drawn:
            for row, position in zip(task, distinct(rng, len(self.index), ways), strict=True):
                row[:] = self.index.sample(rng, position, shots + queries)
        return split_classes(drawn, shots)


class GroupTasks:
    """A task is one group.

    Where the target is a class: `ways` of the group's classes in their own order, so that a class that all groups share
    keeps its place, each with `shots` support and `queries` query rows.
    Where it is a number: `shots` support and `queries` query rows of the group.
    """

    def __init__(self, groups: np.ndarray, rows: np.ndarray, codes: np.ndarray | None = None):
        """`groups` int `[n]`: the group of each of the row numbers `rows`; `codes`: its class, if the target is one."""
        kinds = 1 if codes is None else int(codes.max(initial=0)) + 1
        self.classes = None if codes is None else kinds
        self.index = Index(groups * kinds + (0 if codes is None else codes), rows)
        _, starts = np.unique(self.index.keys // kinds, return_index=True)
        self.bounds = np.append(starts, len(self.index))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def draw(self, rng: np.random.Generator, tasks: int, ways: int | None, shots: int, queries: int) -> Draw:
        """Draw tasks, each a group drawn at random; raises DataError where a group is too small."""
        groups = rng.integers(len(self), size=tasks)
        if self.classes is None:
            drawn = np.stack([self.index.sample(rng, g, shots + queries) for g in groups])
            return Draw(drawn[:, :shots], drawn[:, shots:])
        assert ways is not None
        rows = np.empty((tasks, ways, shots + queries), dtype=np.int64)
        for task, g in zip(rows, groups, strict=True):
            start, stop = self.bounds[g], self.bounds[g + 1]
            if ways > stop - start:
                raise DataError(f"{ways} ways need {ways} classes, a group of the table has {stop - start}")
            for row, position in zip(task, start + np.sort(distinct(rng, stop - start, ways)), strict=True):
                row[:] = self.index.sample(rng, position, shots + queries)
        return split_classes(rows, shots)


TaskSource = ClassTasks | GroupTasks
