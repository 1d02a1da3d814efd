"""A sample episode as a person would look at it, with what the learner answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from omnishot.dataset import Dataset
from omnishot.episodes.missing import remove
from omnishot.episodes.rows import Rows
from omnishot.episodes.shots import learned_from
from omnishot.objectives.classify import Classify
from omnishot.objectives.regress import Regress
from omnishot.report.curves import least
from omnishot.run import Run
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
    shots = least(run.config.shots)
    tasks = data.tasks(part, shots, run.config.queries, skip_small=run.config.skip_bad)
    rng, spoil = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1])
    draw = tasks.source.draw(rng, 1, ways or least(run.about["ways"]), shots, tasks.queries)
    support, query = draw.support[0], draw.query[0]
    rows = [_rows(data, index, classes, draw.ways, missing or {}, spoil)
            for index, classes in ((support, draw.support_target), (query, draw.query_target))]  # fmt: skip
    learner = run.learner
    device = next(learner.parameters()).device
    given = learned_from(rows[0], learner.extra_shots)
    scores = learner.answer(learner.adapt(given.to(device)), rows[1].to(device)).cpu()
    probability: np.ndarray | None = None
    if isinstance(learner.objective, Regress):
        answer = learner.objective.decode(scores)[:, 0].numpy()
        targets = [learner.objective.decode(_target(r))[:, 0].numpy() for r in rows]
        names: tuple[str, ...] = ()
    else:
        assert isinstance(learner.objective, Classify)
        answer, probability = scores.argmax(-1).numpy(), learner.objective.probabilities(scores).max(-1)
        targets = [_target(r).numpy() for r in rows]
        codes, known = data.table.labels
        names = tuple(known[codes[support[targets[0] == c][0]]] for c in range(draw.ways or 0))
    group = None
    if data.table.schema.group is not None:
        of_row, groups = data.table.groups
        group = f"{data.table.schema.group} {groups[of_row[support[0]]]}"
    return Sample(
        support,
        query,
        support_present=rows[0].present.numpy(),
        query_present=rows[1].present.numpy(),
        support_target=targets[0],
        query_target=targets[1],
        answer=answer,
        probability=probability,
        names=names,
        target=require_target(data.table),
        group=group,
        part=part,
        seed=seed,
    )


def _rows(
    data: Dataset,
    index: np.ndarray,
    classes: np.ndarray | None,
    ways: int | None,
    missing: Mapping[str, float],
    rng: np.random.Generator,
) -> Rows:
    gathered = data.store.gather(index)
    present = remove(gathered.present.numpy(), list(data.store.modalities), missing, rng)
    if classes is None:
        assert data.store.target is not None
        target = torch.from_numpy(data.store.target[index])
    else:
        target = torch.from_numpy(classes[0].copy())
    return Rows(gathered.inputs, torch.from_numpy(present), target, None, ways)


def _target(rows: Rows) -> torch.Tensor:
    assert rows.target is not None
    return rows.target
