"""A task drawn from a table that the learner was not trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from omnishot.analysis.explain.task import Task, learned, part_of
from omnishot.core import seeds
from omnishot.episodes.loader import least
from omnishot.errors import DataError
from omnishot.experiment.dataset import Dataset
from omnishot.runs.run import Run
from omnishot.table.splits import PARTS

NAMES = {"train": "a training", "val": "a validation", "test": "a test"}


def draw(
    run: Run,
    data: Dataset,
    part: str,
    seed: int = 0,
    missing: Mapping[str, float] | None = None,
    ways: int | None = None,
) -> Task:
    """Draw one task of a part, take cells away, and learn it.

    Args:
        missing: share of cells taken away, by input or `*`, as `omnishot.episodes.missing.remove` takes it.
        ways: as in training unless said.

    Raises:
        DataError: if the part has too few rows.
    """
    shots = least(run.config.shots)
    tasks = data.tasks(part, shots, run.config.queries, skip_small=run.config.skip_bad)
    rng, spoil = seeds.explained_task(seed), seeds.explained_corruption(seed)
    drawn = tasks.source.draw(rng, 1, ways or least(run.record.ways), shots, tasks.queries)
    support, query = (
        part_of(data.table, data.store, index[0], _target(data, index[0], classes), drawn.ways, missing or {}, spoil)
        for index, classes in ((drawn.support, drawn.support_target), (drawn.query, drawn.query_target))
    )
    support = dataclasses.replace(support, extra_shots=run.config.extra_shots)
    codes, known = data.table.labels if drawn.ways else (np.zeros(0), ())
    assert support.rows.target is not None
    of_class = [support.index[support.rows.target.numpy() == c][0] for c in range(drawn.ways or 0)]
    group = ""
    if data.table.schema.group is not None:
        of_row, groups = data.table.groups
        group = f" of {data.table.schema.group} {groups[of_row[support.index[0]]]}"
    said = f"{NAMES[part]} task{group} drawn from {Path(data.table.name).name}, seed {seed}"
    return learned(run.learner, support, query, tuple(known[codes[row]] for row in of_class), run.schema.target, said)


def held_out(data: Dataset) -> str:
    """The validation part, or the test part where there is none.

    Raises:
        DataError: if there is neither.
    """
    for part in PARTS[1:]:
        if (data.parts == part).any():
            return part
    raise DataError(f"{data.table.name} has neither a validation nor a test part: give a table of other rows")


def _target(data: Dataset, index: np.ndarray, classes: np.ndarray | None) -> Tensor:
    if classes is not None:
        return torch.from_numpy(classes[0].copy())
    assert data.store.target is not None
    return torch.from_numpy(data.store.target[index])
