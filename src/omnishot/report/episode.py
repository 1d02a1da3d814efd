"""A sample episode with the learner's predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from omnishot.analysis.explain.sample_task import sample_task
from omnishot.experiment.dataset import Dataset
from omnishot.runs.run import Run
from omnishot.table.table import require_target


@dataclass(frozen=True)
class Sample:
    """One task with the learner's predictions.

    Args:
        support, query: row indices of the table, `[rows]`.
        support_present, query_present: which cells the learner read, bool `[rows, inputs]`.
        support_target, query_target: `[rows]`, classes within the task, or numbers in their own unit.
        prediction: of the query rows, `[query rows]`, in the same form.
        probability: of the predicted class, `[query rows]`; None for numbers.
        classes: names of the task's classes; empty for numbers.
        target: name of the target.
        group: the group of rows that the task is, where tasks are groups.
        part: the split that it was sampled from.
    """

    support: np.ndarray
    query: np.ndarray
    support_present: np.ndarray
    query_present: np.ndarray
    support_target: np.ndarray
    query_target: np.ndarray
    prediction: np.ndarray
    probability: np.ndarray | None
    classes: tuple[str, ...]
    target: str
    group: str | None
    part: str
    seed: int

    @property
    def correct(self) -> np.ndarray:
        """Which query rows are predicted correctly, bool `[query rows]`."""
        return self.prediction == self.query_target


def draw_sample(
    run: Run,
    data: Dataset,
    part: str,
    seed: int = 0,
    missing: Mapping[str, float] | None = None,
    ways: int | None = None,
) -> Sample:
    """Sample one task of a split, remove cells, adapt to its support rows and predict its query rows.

    Args:
        missing: share of cells removed, by input or `*`, as `omnishot.episodes.missing.remove` takes it.
        ways: number of classes; None: as in training.

    Raises:
        DataError: if the split has too few rows.
    """
    task = sample_task(run, data, part, seed, missing, ways)
    assert task.support is not None
    learner, support, query = run.learner, task.support, task.query
    scores = learner.answer(task.state, query.rows.to(learner.device)).cpu()
    prediction, probabilities = learner.objective.value(scores), learner.objective.probabilities(scores)
    probability = None if probabilities is None else probabilities.max(-1)
    group = None
    if data.table.schema.group is not None:
        codes, groups = data.table.groups
        group = f"{data.table.schema.group} {groups[codes[support.index[0]]]}"
    return Sample(
        support.index,
        query.index,
        support_present=support.present,
        query_present=query.present,
        support_target=task.support_target,
        query_target=task.query_target,
        prediction=prediction,
        probability=probability,
        classes=task.classes,
        target=require_target(data.table),
        group=group,
        part=part,
        seed=seed,
    )
