"""Sources of tasks: sampled classes, or the groups of a group column.

A source holds row numbers as an index, so the cost of drawing a task does not depend on the size of the table. Every
draw takes an explicit random generator.
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
    """Row numbers by key: the rows of key k are `order[starts[k]:starts[k + 1]]`.

    It takes four bytes per row (eight from 2³¹ rows on) and sixteen per key.
    """

    def __init__(self, keys: np.ndarray, rows: np.ndarray):
        """`keys` int `[n]` of the row numbers `rows` `[n]`; keys need not be consecutive."""
        order = np.argsort(keys, kind="stable")
        ranked = keys[order]
        firsts = np.flatnonzero(np.diff(ranked, prepend=ranked[:1] - 1))
        self.keys = ranked[firsts]
        self.starts = np.append(firsts, len(keys))
        self.order = rows[order].astype(np.int32 if rows.max(initial=0) < 2**31 else np.int64)

    def __len__(self) -> int:
        return len(self.keys)

    def sample(self, rng: np.random.Generator, positions: np.ndarray, n: int) -> np.ndarray:
        """`n` different rows of each of the keys at `positions` `[...]`, in random order: int64 `[..., n]`.

        Raises:
            DataError: if a key has fewer rows.
        """
        starts = self.starts[positions]
        counts = self.starts[positions + 1] - starts
        if n > counts.min():
            raise DataError(
                f"a task needs {n} different rows (shots and queries) of each class or group, "
                f"one has {counts.min()}: add rows to it, or ask for fewer shots or queries"
            )
        return self.order[starts[..., None] + distinct(rng, counts, n)].astype(np.int64)


def distinct(rng: np.random.Generator, populations: np.ndarray, n: int) -> np.ndarray:
    """`n` different numbers below each of `populations` `[...]`, in random order: int64 `[..., n]`.

    The time it takes does not grow with the populations.
    """
    sizes = populations.reshape(-1, 1)
    if n > sizes.min(initial=n):
        raise ValueError(f"cannot draw {n} different numbers below {sizes.min()}")
    few = sizes[:, 0] <= 4 * n
    drawn = np.empty((len(sizes), n), dtype=np.int64)
    for these, draw in ((few, _shuffled), (~few, _redrawn)):
        if these.any():
            drawn[these] = draw(rng, sizes[these], n)
    return drawn.reshape(*populations.shape, n)


def _shuffled(rng: np.random.Generator, sizes: np.ndarray, n: int) -> np.ndarray:
    """`distinct` for `sizes` `[m, 1]` that are small: all numbers in random order, cut off."""
    luck = rng.random((len(sizes), sizes.max(initial=n)))
    luck[np.arange(luck.shape[1]) >= sizes] = 1.0  # sorted behind every number that counts
    return luck.argsort(1)[:, :n]


def _redrawn(rng: np.random.Generator, sizes: np.ndarray, n: int) -> np.ndarray:
    """`distinct` for `sizes` `[m, 1]` well above n: repeated numbers are drawn again.

    All numbers are treated alike, so every sequence of different ones is equally likely.
    """
    drawn = rng.integers(sizes, size=(len(sizes), n))
    while True:
        order = drawn.argsort(1)
        ranked = np.take_along_axis(drawn, order, 1)
        row, place = np.nonzero(ranked[:, 1:] == ranked[:, :-1])
        if not len(row):
            return drawn
        drawn[row, order[row, place + 1]] = rng.integers(sizes[row, 0])


def split_classes(rows: np.ndarray, shots: int) -> Draw:
    """Rows `[tasks, ways, shots + queries]` as a draw: the first `shots` of each class are the support rows."""
    tasks, ways, each = rows.shape

    def targets(n: int) -> np.ndarray:
        return np.tile(np.repeat(np.arange(ways), n), (tasks, 1))

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
        classes = distinct(rng, np.full(tasks, len(self.index)), ways)
        return split_classes(self.index.sample(rng, classes, shots + queries), shots)


class GroupTasks:
    """A task is one group.

    Where the target is a class: `ways` of the group's classes, each with `shots` support and `queries` query rows.
    Classes keep their order, so that a class of all groups has the same place in each.
    Where the target is a number: `shots` support and `queries` query rows of the group.
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
            drawn = self.index.sample(rng, groups, shots + queries)
            return Draw(drawn[:, :shots], drawn[:, shots:])
        if ways is None:
            raise ValueError("tasks of classes need a number of ways")
        starts = self.bounds[groups]
        sizes = self.bounds[groups + 1] - starts
        if ways > sizes.min():
            raise DataError(f"{ways} ways need {ways} classes, a group of the table has {sizes.min()}")
        classes = starts[:, None] + np.sort(distinct(rng, sizes, ways), 1)
        return split_classes(self.index.sample(rng, classes, shots + queries), shots)


TaskSource = ClassTasks | GroupTasks
