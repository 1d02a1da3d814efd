"""Finding the task that a run or a model is to be explained by."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from omnishot.analysis.explain.drawing import draw, held_out
from omnishot.analysis.explain.task import Part, Task, learned, part_of
from omnishot.core import seeds
from omnishot.episodes.decoding import decode_table
from omnishot.episodes.loader import least
from omnishot.errors import DataError, UsageError
from omnishot.experiment import dataset
from omnishot.experiment.dataset import bad_cells
from omnishot.learners.base import Learner
from omnishot.runs.model import Model
from omnishot.runs.run import Run
from omnishot.table.reading import read_rows
from omnishot.table.table import Table
from omnishot.table.targets import NUMBER

#: Query rows that are looked into at most; a large table's first.
MOST_QUERIES = 200


def find(of: Run | Model, table: Any = None, support: Any = None, *, seed: int = 0, ways: int | None = None) -> Task:
    """The task that a run or model is to be explained by.

    A run without a table: one drawn from the validation part of its own table, or from the test part if there is none.
    A run with a table: learned from its labelled rows (or those of `support`), the others answered; from a table whose
    rows are all labelled, one is drawn. A model: the rows of a table; the rows that it was adapted to are not in it,
    they may be given as `support`.

    Raises:
        UsageError: if what is given does not go together, or a column is not one of the run's.
        DataError: if a table cannot be read, has bad cells in labelled rows, or too few rows.
    """
    if isinstance(of, Model):
        if table is None:
            raise UsageError("a model has no rows of its own: give a table of rows to be explained")
        return _of_model(of, read_rows(table, of.schema), support)
    if table is None:
        if support is not None:
            raise UsageError("support rows need rows to be answered: give a table, too")
        data = of.dataset()
        return draw(of, data, held_out(data), seed, ways=ways)
    rows = read_rows(table, of.schema)
    if support is not None:
        return _learned(of, read_rows(support, of.schema), rows)
    labelled = _labelled(rows)
    if not labelled.any():
        raise DataError(
            f"{rows.name} has no row with a target ({of.schema.target}): label a few rows to learn from, or give them "
            "apart as support"
        )
    if labelled.all():
        return _drawn(of, rows, seed, ways)
    return _learned(of, rows.select(labelled), rows.select(~labelled))


def _drawn(run: Run, rows: Table, seed: int, ways: int | None) -> Task:
    """A task drawn from a table whose rows are all labelled."""
    learner = run.learner
    if rows.schema.target_form == NUMBER and rows.schema.group is None:
        order = seeds.explained_task(seed).permutation(len(rows))
        shots = least(run.config.shots)
        if len(rows) <= shots:
            raise DataError(f"{rows.name} has {len(rows)} rows: {shots} to learn from and 1 to answer are needed")
        return _learned(run, rows.select(np.sort(order[:shots])), rows.select(np.sort(order[shots:])))
    parts = None if rows.schema.split else np.full(len(rows), "test")
    data = dataset.build(rows, run.config, learner.network.modalities, learner.objective, parts)
    return draw(run, data, held_out(data), seed, ways=ways)


def _learned(run: Run, labelled: Table, asked: Table) -> Task:
    """A task learned from labelled rows, answering others."""
    learner = run.learner
    support, names = _support(labelled, learner, run.config.extra_shots)
    query, notes = _query(asked, learner, len(names) or None)
    truth = _truth(asked, run.schema.target, names, learner)
    if labelled.name == asked.name:
        said = f"{len(support)} labelled rows of {Path(labelled.name).name} to learn from, the others to answer"
    else:
        said = f"the rows of {Path(labelled.name).name} to learn from, those of {Path(asked.name).name} to answer"
    return learned(learner, support, query, names, run.schema.target, said, truth, notes)


def _of_model(model: Model, asked: Table, support: Any) -> Task:
    """The rows of a table as a model answers them."""
    learner, names = model.learner, tuple(model.classes_.tolist())
    if model.new_modality:
        raise UsageError(
            f"the model learned of {', '.join(model.new_modality.modalities)} when it was adapted (new), which is not "
            "taken apart here: explain a model adapted without new inputs"
        )
    query, notes = _query(asked, learner, len(names) or None)
    said, learned_from = f"rows of {Path(asked.name).name}, answered by the model", None
    if support is not None:
        labelled = read_rows(support, model.schema)
        learned_from, found = _support(labelled, learner, model.record.config.get("extra_shots", False))
        if found != names:
            raise DataError(
                f"{labelled.name} has the classes {', '.join(found)}, the model {', '.join(names)}: give the rows that "
                "it was adapted to"
            )
        if not _same(learner.adapt(learned_from.learned_from().to(learner.device)), model.state):
            raise DataError(f"{labelled.name}: the model was adapted to other rows than these: give those")
        said += f", which was adapted to {Path(labelled.name).name}"
    truth = _truth(asked, model.schema.target, names, learner)
    return Task(learner, model.state, names, query, learned_from, truth, model.schema.target or "", said, notes)


def _support(labelled: Table, learner: Learner, extra_shots: bool) -> tuple[Part, tuple[str, ...]]:
    """Labelled rows of a table, and their classes."""
    name, has = labelled.schema.target, _labelled(labelled)
    if name is None or not has.all():
        where = "" if name is None else f", row {labelled.row_number(int(np.flatnonzero(~has)[0]))}"
        raise DataError(f"{labelled.name}{where}: rows to learn from need a target")
    target = learner.objective.encode_task(labelled)
    store, bad = decode_table(labelled, learner.network.modalities)
    if bad:
        raise DataError(bad_cells(labelled, bad, "Mend them, or leave these cells empty"))
    part = part_of(labelled, store, np.arange(len(labelled)), target.values, len(target.classes) or None)
    return dataclasses.replace(part, extra_shots=extra_shots), target.classes


def _query(asked: Table, learner: Learner, ways: int | None) -> tuple[Part, tuple[str, ...]]:
    """Rows of a table to be answered, and what should be known of them."""
    notes = []
    if len(asked) > MOST_QUERIES:
        notes.append(f"Of {len(asked):,} rows the first {MOST_QUERIES} are looked into.")
        asked = asked.select(np.arange(MOST_QUERIES))
    store, bad = decode_table(asked, learner.network.modalities)
    if bad:
        count = f"{len(bad)} {'cell' if len(bad) == 1 else 'cells'}"
        notes.append(f"Missing for want of being readable: {count}, the first: {bad[0]}.")
    return part_of(asked, store, np.arange(len(asked)), None, ways), tuple(notes)


def _truth(asked: Table, target: str | None, names: tuple[str, ...], learner: Learner) -> np.ndarray:
    """The target of the rows that are looked into, as far as they have one."""
    count = min(len(asked), MOST_QUERIES)
    column = asked.frame[target].iloc[:count] if target in asked.frame.columns else None
    return learner.objective.known_values(column, count, names)


def _labelled(table: Table) -> np.ndarray:
    """Which rows have a target, bool `[rows]`."""
    target = table.schema.target
    return np.zeros(len(table), bool) if target is None else table.frame[target].notna().to_numpy()


def _same(a: Any, b: Any) -> bool:
    """Whether two states are the same but for rounding."""
    if torch.is_tensor(a):
        return torch.is_tensor(b) and a.shape == b.shape and torch.allclose(a, b.to(a), rtol=1e-3, atol=1e-4)
    return a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
