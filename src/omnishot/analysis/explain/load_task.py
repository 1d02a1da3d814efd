"""The task that a run or a model is explained by: sampled, or read from tables."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from omnishot.analysis.explain.sample_task import held_out_part, sample_task
from omnishot.analysis.explain.task import Task, TaskRows, adapt, task_rows
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

#: Query rows that are explained at most: the first ones of a large table.
MOST_QUERIES = 200


def load_task(
    model: Run | Model, table: Any = None, support: Any = None, *, seed: int = 0, ways: int | None = None
) -> Task:
    """The task that a run or a model is explained by.

    - A run without a table: a task sampled from the validation split of its own table (test split if there is none).
    - A run with a table: its labelled rows (or those of `support`) are the support rows, the others the query rows. If
      all rows are labelled, a task is sampled from them.
    - A model with a table: all rows are query rows. A model does not hold its support rows; `support` gives them.

    Raises:
        UsageError: if the arguments do not fit together, or a column is not one of the run's.
        DataError: if a table cannot be read, has bad cells in labelled rows, or too few rows.
    """
    if isinstance(model, Model):
        if table is None:
            raise UsageError("a model has no rows of its own: give a table of rows to be explained")
        return _model_task(model, read_rows(table, model.schema), support)
    if table is None:
        if support is not None:
            raise UsageError("support rows alone are no task: give a table with the query rows too")
        data = model.dataset()
        return sample_task(model, data, held_out_part(data), seed, ways=ways)
    rows = read_rows(table, model.schema)
    if support is not None:
        return _run_task(model, read_rows(support, model.schema), rows)
    labelled = _labelled(rows)
    if not labelled.any():
        raise DataError(
            f"{rows.name} has no row with a target ({model.schema.target}): label a few rows, or give labelled rows as "
            "support"
        )
    if labelled.all():
        return _sample_from(model, rows, seed, ways)
    return _run_task(model, rows.select(labelled), rows.select(~labelled))


def _sample_from(run: Run, rows: Table, seed: int, ways: int | None) -> Task:
    """A task sampled from a table whose rows are all labelled."""
    learner = run.learner
    if rows.schema.target_form == NUMBER and rows.schema.group is None:
        order = seeds.explained_task(seed).permutation(len(rows))
        shots = least(run.config.shots)
        if len(rows) <= shots:
            raise DataError(f"{rows.name} has {len(rows)} rows: {shots} support rows and 1 query row are needed")
        return _run_task(run, rows.select(np.sort(order[:shots])), rows.select(np.sort(order[shots:])))
    parts = None if rows.schema.split else np.full(len(rows), "test")
    data = dataset.build(rows, run.config, learner.network.modalities, learner.objective, parts)
    return sample_task(run, data, held_out_part(data), seed, ways=ways)


def _run_task(run: Run, labelled: Table, unlabelled: Table) -> Task:
    """The task of labelled rows as support rows and further rows as query rows."""
    learner = run.learner
    support, names = _support(labelled, learner, run.config.extra_shots)
    query, notes = _query(unlabelled, learner, len(names) or None)
    if labelled.name == unlabelled.name:
        description = f"{len(support)} labelled rows of {Path(labelled.name).name} as support, the others as queries"
    else:
        description = f"support rows of {Path(labelled.name).name}, query rows of {Path(unlabelled.name).name}"
    target, known = run.schema.target or "", _query_target(unlabelled, run.schema.target, names, learner)
    return Task(learner, adapt(learner, support), names, query, support, known, target, description, notes)


def _model_task(model: Model, table: Table, labelled: Any) -> Task:
    """The rows of a table as query rows of the model's task.

    Raises:
        UsageError: if the model has new modalities.
        DataError: if the labelled rows are not those that the model was adapted to.
    """
    learner, names = model.learner, tuple(model.classes_.tolist())
    if model.new_modality:
        raise UsageError(
            f"the model has inputs that its run was trained without ({', '.join(model.new_modality.modalities)}), "
            "whose contributions cannot be computed: explain a model adapted without new inputs"
        )
    query, notes = _query(table, learner, len(names) or None)
    description, support = f"rows of {Path(table.name).name}, predicted by the model", None
    if labelled is not None:
        labelled = read_rows(labelled, model.schema)
        support, support_names = _support(labelled, learner, model.record.config.get("extra_shots", False))
        if support_names != names:
            raise DataError(
                f"{labelled.name} has the classes {', '.join(support_names)}, the model {', '.join(names)}: give the "
                "rows that it was adapted to"
            )
        if not _same(adapt(learner, support), model.state):
            raise DataError(f"{labelled.name}: the model was adapted to other rows than these: give those")
        description += f", which was adapted to {Path(labelled.name).name}"
    target, known = model.schema.target or "", _query_target(table, model.schema.target, names, learner)
    return Task(learner, model.state, names, query, support, known, target, description, notes)


def _support(labelled: Table, learner: Learner, extra_shots: bool) -> tuple[TaskRows, tuple[str, ...]]:
    """The support rows of a table, all labelled, and the names of their classes."""
    name, has_target = labelled.schema.target, _labelled(labelled)
    if name is None or not has_target.all():
        where = "" if name is None else f", row {labelled.row_number(int(np.flatnonzero(~has_target)[0]))}"
        raise DataError(f"{labelled.name}{where}: support rows need a target")
    target = learner.objective.encode_task(labelled)
    store, bad = decode_table(labelled, learner.network.modalities)
    if bad:
        raise DataError(bad_cells(labelled, bad, "Correct them, or leave these cells empty"))
    rows = task_rows(labelled, store, np.arange(len(labelled)), target.values, len(target.classes) or None)
    return dataclasses.replace(rows, extra_shots=extra_shots), target.classes


def _query(table: Table, learner: Learner, ways: int | None) -> tuple[TaskRows, tuple[str, ...]]:
    """The query rows of a table, and notes for the user."""
    notes = []
    if len(table) > MOST_QUERIES:
        notes.append(f"The first {MOST_QUERIES} of {len(table):,} rows are explained.")
        table = table.select(np.arange(MOST_QUERIES))
    store, bad = decode_table(table, learner.network.modalities)
    if bad:
        count = f"{len(bad)} {'cell' if len(bad) == 1 else 'cells'}"
        notes.append(f"{count} could not be read and counted as missing; the first: {bad[0]}.")
    return task_rows(table, store, np.arange(len(table)), None, ways), tuple(notes)


def _query_target(table: Table, target: str | None, names: tuple[str, ...], learner: Learner) -> np.ndarray:
    """The targets of the query rows, as `Task.query_target` has them."""
    count = min(len(table), MOST_QUERIES)
    column = table.frame[target].iloc[:count] if target in table.frame.columns else None
    return learner.objective.known_values(column, count, names)


def _labelled(table: Table) -> np.ndarray:
    """Which rows have a target, bool `[rows]`."""
    target = table.schema.target
    return np.zeros(len(table), bool) if target is None else table.frame[target].notna().to_numpy()


def _same(a: Any, b: Any) -> bool:
    """Whether two states are equal up to rounding."""
    if torch.is_tensor(a):
        return torch.is_tensor(b) and a.shape == b.shape and torch.allclose(a, b.to(a), rtol=1e-3, atol=1e-4)
    return a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
