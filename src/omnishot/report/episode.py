"""A sample episode as a person would look at it, with what the learner answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from omnishot.analysis.explain.drawing import draw
from omnishot.experiment.dataset import Dataset
from omnishot.runs.run import Run
from omnishot.table.table import require_target


@dataclass(frozen=True)
class Sample:
    """One task with the learner's answers.

    Args:
        support, query: row numbers of the table, `[rows]`.
        support_present, query_present: bool `[rows, inputs]`, what the learner was shown.
        support_target, query_target: `[rows]`, classes within the task, or numbers in their own unit.
        answer: `[query rows]`, likewise.
        probability: `[query rows]`, of the answer; None for numbers.
        names: of the task's classes; empty for numbers.
        target: what is predicted.
        group: the group that the task is, if tasks are groups.
    """

    support: np.ndarray
    query: np.ndarray
    support_present: np.ndarray
    query_present: np.ndarray
    support_target: np.ndarray
    query_target: np.ndarray
    answer: np.ndarray
    probability: np.ndarray | None
    names: tuple[str, ...]
    target: str
    group: str | None
    part: str
    seed: int

    @property
    def right(self) -> np.ndarray:
        """Which query rows were answered right, bool `[query rows]`."""
        return self.answer == self.query_target


def draw_sample(
    run: Run,
    data: Dataset,
    part: str,
    seed: int = 0,
    missing: Mapping[str, float] | None = None,
    ways: int | None = None,
) -> Sample:
    """Draw one task of a part, take cells away, adapt to it and answer it.

    Args:
        missing: share of cells taken away, by input or `*`, as `omnishot.episodes.missing.remove` takes it.
        ways: as in training unless said.

    Raises:
        DataError: if the part has too few rows.
    """
    task = draw(run, data, part, seed, missing, ways)
    assert task.support is not None
    learner, support, query = run.learner, task.support, task.query
    scores = learner.answer(task.state, query.rows.to(learner.device)).cpu()
    probability: np.ndarray | None = None
    answer, probabilities = learner.objective.value(scores), learner.objective.probabilities(scores)
    if probabilities is not None:
        probability = probabilities.max(-1)
    group = None
    if data.table.schema.group is not None:
        of_row, groups = data.table.groups
        group = f"{data.table.schema.group} {groups[of_row[support.index[0]]]}"
    return Sample(
        support.index,
        query.index,
        support_present=support.present,
        query_present=query.present,
        support_target=task.taught,
        query_target=task.truth,
        answer=answer,
        probability=probability,
        names=task.names,
        target=require_target(data.table),
        group=group,
        part=part,
        seed=seed,
    )
