"""A table ready for drawing tasks: decoded, split into parts, its target encoded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from omnishot.core.distributed import ALONE, Ranks
from omnishot.episodes.decoding import decode_table
from omnishot.episodes.store import Store
from omnishot.episodes.tasks import ClassTasks, GroupTasks, TaskSource
from omnishot.errors import DataError, UsageError
from omnishot.experiment.config import Config
from omnishot.experiment.objective import objective_class
from omnishot.experiment.options import split_input_options
from omnishot.modality.base import Modality
from omnishot.modality.features import all_trained_on
from omnishot.modality.inputs import fit_inputs
from omnishot.objectives.base import Objective
from omnishot.table.checking import BadCell, check
from omnishot.table.splits import assign
from omnishot.table.table import Table, require_target

WAYS, QUERIES = 5, 15  # defaults; fewer where a part has fewer
TRAINING_QUERIES = 5  # a default that makes a step faster
SHOWN = 10  # bad cells in a message; all of them are in `omnishot check`


@dataclass(frozen=True)
class Tasks:
    """A source of tasks of one part. `ways` is the most that every task can have, None where the target is a number."""

    source: TaskSource
    ways: int | None
    queries: int


@dataclass(frozen=True)
class Dataset:
    """A decoded table.

    Args:
        parts: `[n]` train, val, test, or "" for a row that is left out.
        clusters: `[n]` the cluster of each row (-1: none), which is its task, where the table has no groups.
        words: words of the target's texts that belong to single tasks, by number from the first own word on.
        skipped: bad cells, rows and classes that were left out.
    """

    table: Table
    store: Store
    parts: np.ndarray
    objective: Objective
    clusters: np.ndarray | None = None
    words: tuple[str, ...] = ()
    skipped: tuple[BadCell, ...] = ()

    def tasks(
        self, part: str, shots: int, queries: int | None = None, *, at_most: int = QUERIES, skip_small: bool = False
    ) -> Tasks:
        """The source of tasks of a part.

        Args:
            shots, queries: rows needed of every class (or group).
            at_most: the value of `queries` if it is None, unless the smallest class has fewer rows.
            skip_small: leave classes with fewer rows out instead of refusing.

        Raises:
            DataError: if classes have too few rows (named, with their counts), or fewer than two classes remain.
        """
        rows = np.flatnonzero(self.parts == part)
        if not len(rows):
            raise DataError(f"{self.table.name} has no rows in the part {part!r}")
        skip_small = skip_small or self.clusters is not None  # no user chose their sizes
        keys, names = self._keys(rows)
        distinct, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        small = counts < shots + (queries or 1)
        if small.any() and not skip_small:
            raise DataError(self._too_small(part, [names(k) for k in distinct[small]], counts[small], shots, queries))
        rows, keys = rows[~small[inverse]], keys[~small[inverse]]
        if not len(rows):
            raise DataError(self._too_small(part, [names(k) for k in distinct[:5]], counts[:5], shots, queries))
        queries = queries or min(at_most, int(counts[~small].min()) - shots)
        return Tasks(*self._source(rows, part), queries)

    def members(self, part: str) -> set[str]:
        """Names of the classes of a part, or of its groups where each group is a task."""
        if self.table.schema.group is None and (not self.objective.has_classes or self.clusters is not None):
            return set()
        codes, names = self.table.groups if self.table.schema.group else self.table.labels
        return {names[code] for code in np.unique(codes[self.parts == part])}

    def own_words(self, support: np.ndarray) -> tuple[str, ...]:
        """The own words of the task that is learned from these rows `[rows]`, in the order of their numbers there."""
        return self.objective.own_words_of(self.store.target, support, self.words)

    @property
    def groups(self) -> tuple[np.ndarray, tuple[str, ...]] | None:
        """The group of each row, and the groups' names, where each is a task; None where tasks are of any classes."""
        if self.table.schema.group is not None:
            return self.table.groups
        if self.clusters is None:
            return None
        return self.clusters, tuple(f"cluster {i}" for i in range(int(self.clusters.max(initial=0)) + 1))

    def labels(self) -> np.ndarray | None:
        """Each training row's class among all training classes, int64 `[n]`, -1 elsewhere; None for numbers."""
        if not self.objective.has_classes:
            return None
        codes = np.where(self.parts == "train", self.table.labels[0], -1)
        classes, labels = np.unique(codes, return_inverse=True)
        return labels - int(classes[0] == -1)

    def _keys(self, rows: np.ndarray) -> tuple[np.ndarray, Callable[[int], str]]:
        """By row, the unit of which a task needs several rows (class, group, class within the group), and its name."""
        one = (np.zeros(len(self.parts), dtype=np.int64), ("",))
        classify, grouped = self.objective.has_classes, self.groups is not None
        classes, names = self.table.labels if classify else one
        groups, group_names = self.groups or one

        def name(key: int) -> str:
            group, kind = divmod(int(key), len(names))
            return " ".join(
                filter(None, (names[kind], f"of {group_names[group]}" if grouped and classify else group_names[group]))
            )

        return (groups * len(names) + classes)[rows], name

    def _source(self, rows: np.ndarray, part: str) -> tuple[TaskSource, int | None]:
        if self.groups is None:
            source: TaskSource = ClassTasks(self.table.labels[0][rows], rows)
            ways: int | None = len(source.index)
        else:
            codes = self.table.labels[0][rows] if self.objective.has_classes else None
            source = GroupTasks(self.groups[0][rows], rows, codes)
            ways = None if codes is None else int(np.diff(source.bounds).min())
        if ways is not None and ways < 2:
            where = "a group of the part" if self.table.schema.group else "the part"
            raise DataError(f"{self.table.name}: {where} {part!r} has {ways} usable class; a task needs at least 2")
        return source, ways

    def _too_small(self, part: str, names: Sequence[str], counts: np.ndarray, shots: int, queries: int | None) -> str:
        what = "class" if self.objective.has_classes else "group"
        listed = ", ".join(f"{n} ({c})" for n, c in list(zip(names, counts, strict=True))[:5])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        needed = f"{shots} shots and {queries} queries" if queries else f"{shots} shots and at least 1 query"
        return (
            f"{self.table.name}, part {part!r}: {needed} need {shots + (queries or 1)} rows of every {what}; fewer in: "
            f"{listed}{more}. Add rows, ask for fewer shots or queries, or leave them out with skip_bad"
        )


def build(
    table: Table,
    config: Config,
    modalities: Mapping[str, Modality] | None = None,
    objective: Objective | None = None,
    parts: np.ndarray | None = None,
    progress: bool = False,
    host: Ranks = ALONE,
    frozen: Mapping[str, Modality] | None = None,
) -> Dataset:
    """Decode a table and assign its rows to parts.

    Args:
        modalities: of the inputs; None: fitted on the training rows, but for those in `frozen`.
        objective: None: the table's, with the options of `config`, fitted to the training rows.
        parts: `[n]`, of each row; None: assigned by the config's `split_seed`, the classes (or groups) that frozen
            encoders were trained on to the training part.
        host: the ranks that decode the table together.

    Raises:
        DataError: for bad cells, listed by row and column, unless `config.skip_bad`.
        UsageError: if the table has no target or no input.
    """
    require_target(table)
    if not table.schema.inputs():
        raise UsageError(no_inputs(table))
    if parts is None:
        known = all_trained_on([*(modalities or {}).values(), *(frozen or {}).values()])
        column = table.schema.group or table.schema.target or ""
        parts = assign(table, config.split_seed, trained_on=known.get(column, ()))
    if modalities is None:
        options = {n: split_input_options(config, n, kind)[1] for n, (kind, _) in table.schema.inputs().items()}
        modalities = fit_inputs(table, np.flatnonzero(parts == "train"), options, given=frozen, shared=config.shared)
    store, bad = look_through(table, modalities, progress, host)
    if bad and not config.skip_bad:
        raise DataError(bad_cells(table, bad, REMEDY))
    unusable = {cell.row for cell in bad if cell.column in (*table.schema.targets, table.schema.group, EVERY)}
    parts = np.where(np.isin(np.arange(len(table)), list(unusable)), "", parts)
    unfitted = objective or objective_class(table.schema)(**config.objective_options)
    clusters = unfitted.group_rows(table, parts, config.seed) if table.schema.group is None else None
    if clusters is not None:
        parts = np.where(clusters < 0, "", parts)
    if objective is None:
        tasks = table.groups[0] if table.schema.group else clusters
        objective = unfitted.fit_table(table, parts == "train", tasks)
    target = objective.encode_table(table)
    store = dataclasses.replace(store, target=target.values, words=target.numbering)
    return Dataset(table, store, parts, objective, clusters, target.words, tuple(bad))


REMEDY = "Mend them, or leave them out with skip_bad (--skip-bad), which lists them in the run folder"

#: The column of a bad cell that stands for all inputs of the row.
EVERY = "(every input)"


def look_through(
    table: Table, modalities: Mapping[str, Modality], progress: bool = False, host: Ranks = ALONE
) -> tuple[Store, list[BadCell]]:
    """Decode every row, and list all that is bad in row order: cells, and rows without target, group or any input."""
    store, bad = decode_table(table, modalities, cached=True, progress=progress, host=host)
    bad = [*check(table, {}), *bad, *_empty(table, store.present)]
    return store, sorted(bad, key=lambda cell: cell.row)


def _empty(table: Table, present: np.ndarray) -> list[BadCell]:
    rows = np.flatnonzero(~present.any(axis=1))
    return [
        BadCell(row, EVERY, "every cell of the row is missing or bad", table.row_number(row)) for row in rows.tolist()
    ]


def no_inputs(table: Table) -> str:
    """A message that no column is an input, and what each column is instead."""
    roles = ", ".join(f"{c.name} is {'a' if c.role == 'note' else 'the'} {c.role}" for c in table.schema.columns)
    return f"{table.name} has no column to learn from: {roles}; say which is what with modality (--modality COL=KIND)"


def bad_cells(table: Table, bad: Sequence[BadCell], remedy: str) -> str:
    """A message that lists bad cells, the first few by row and column, and the ways to proceed."""
    shown = "\n".join(f"  {cell}" for cell in bad[:SHOWN])
    more = f"\n  … and {len(bad) - SHOWN} more (`omnishot check` lists them all)" if len(bad) > SHOWN else ""
    return f"{table.name}: {len(bad)} bad {'cell' if len(bad) == 1 else 'cells'}\n{shown}{more}\n{remedy}"
