"""A task sampled from the validation or test split of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from omnishot.analysis.explain.task import Task, TaskRows, adapt, task_rows, without_cells
from omnishot.core import seeds
from omnishot.episodes.loader import least
from omnishot.errors import DataError
from omnishot.evaluation.protocol import evaluation_ways
from omnishot.experiment.dataset import Dataset
from omnishot.runs.run import Run
from omnishot.table.splits import PARTS

#: How a description calls a task of a split.
SPLIT_TASKS = {"train": "a training task", "val": "a validation task", "test": "a test task"}


def sample_task(
    run: Run,
    data: Dataset,
    part: str,
    seed: int = 0,
    missing: Mapping[str, float] | None = None,
    ways: int | None = None,
) -> Task:
    """Sample one task of a split, remove cells, and adapt the run's learner to it.

    Args:
        missing: share of cells removed, by input or `*`, as `omnishot.episodes.missing.remove` takes it.
        ways: number of classes; None: as in training.

    Raises:
        DataError: if the split has too few rows.
    """
    shots = least(run.config.shots)
    tasks = data.tasks(part, shots, run.config.queries, skip_small=run.config.skip_bad)
    rng, missing_rng = seeds.explained_task(seed), seeds.explained_corruption(seed)
    own_ways: Any = ways or evaluation_ways(least(run.record.ways), tasks)
    draw = tasks.source.draw(rng, 1, own_ways, shots, tasks.queries)
    support_target = _target(data, draw.support[0], draw.support_target)
    query_target = _target(data, draw.query[0], draw.query_target)
    support, query = (
        without_cells(task_rows(data.table, data.store, index[0], target, draw.ways), missing or {}, missing_rng)
        for index, target in ((draw.support, support_target), (draw.query, query_target))
    )
    support, learner = dataclasses.replace(support, extra_shots=run.config.extra_shots), run.learner
    return Task(
        learner,
        state=adapt(learner, support),
        classes=_class_names(data, support, support_target) if draw.ways else (),
        query=query,
        support=support,
        query_target=learner.objective.target_value(query_target),
        target=run.schema.target or "",
        description=f"{SPLIT_TASKS[part]}{_group(data, support.index[0])} of {Path(data.table.name).name}, seed {seed}",
    )


def held_out_part(data: Dataset) -> str:
    """`val`, or `test` where there are no validation rows.

    Raises:
        DataError: if there are neither.
    """
    for part in PARTS[1:]:
        if (data.parts == part).any():
            return part
    raise DataError(f"{data.table.name} has neither a validation nor a test part: give a table of other rows")


def _target(data: Dataset, index: np.ndarray, classes: np.ndarray | None) -> Tensor:
    """The target of the rows `index`: their classes within the task, `[rows]`, or what the store holds."""
    if classes is not None:
        return torch.from_numpy(classes[0].copy())
    assert data.store.target is not None
    return torch.from_numpy(data.store.target[index])


def _class_names(data: Dataset, support: TaskRows, target: Tensor) -> tuple[str, ...]:
    """The names of the task's classes, in order."""
    codes, names = data.table.labels
    _, first = np.unique(target.numpy(), return_index=True)
    return tuple(names[codes[row]] for row in support.index[first])


def _group(data: Dataset, row: int) -> str:
    """` (GROUP VALUE)` where tasks are groups of rows."""
    if data.table.schema.group is None:
        return ""
    codes, names = data.table.groups
    return f" ({data.table.schema.group} {names[codes[row]]})"
