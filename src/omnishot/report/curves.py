"""Curves of a report: figures against the number of gradient steps, and against the share of missing cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnishot.core.storage import read_json, write_json
from omnishot.episodes.corruption import Corruption
from omnishot.episodes.loader import Loader, Shape, least
from omnishot.episodes.missing import ALL
from omnishot.errors import UsageError
from omnishot.evaluation.evaluator import Evaluator
from omnishot.evaluation.figure import Figure, Origin
from omnishot.evaluation.protocol import evaluation_ways
from omnishot.experiment.dataset import Dataset
from omnishot.learners.base import Learner
from omnishot.runs.run import Run

FILE = "curves.json"
STEPS = (0, 1, 2, 3, 5, 10)
SHARES = (0.0, 0.25, 0.5, 0.65)


@dataclass(frozen=True)
class Point:
    """A figure at a number of gradient steps, or at a share of missing cells."""

    at: float
    figure: Figure


def curves(run: Run | str | Path, episodes: int = 200, *, ways: int | None = None) -> dict[str, list[Point]]:
    """Compute both curves on the run's test split and save them in its `curves.json`.

    Args:
        ways: number of classes; None: as in training.

    Raises:
        DataError: if the table cannot be read again, or has no test part.
    """
    run = opened(run)
    tasks: dict[str, Any] = {"episodes": episodes, "data": run.dataset(), "ways": ways}
    points = {"steps": steps_curve(run, **tasks), "missing": missing_curve(run, **tasks)}
    plain = {n: [{"at": p.at, "figure": p.figure.to_json()} for p in own] for n, own in points.items()}
    write_json(run.folder / FILE, plain)
    return points


def stored(run: Run) -> dict[str, list[Point]]:
    """The curves that `curves` saved; empty if there are none."""
    path = run.folder / FILE
    plain = read_json(path) if path.exists() else {}
    return {n: [Point(p["at"], Figure.from_json(p["figure"])) for p in points] for n, points in plain.items()}


def steps_curve(
    run: Run,
    steps: Sequence[int] = STEPS,
    episodes: int = 200,
    *,
    seed: int = 0,
    data: Dataset | None = None,
    ways: int | None = None,
) -> list[Point]:
    """The metric by number of gradient steps on the support rows; the run's own number is always included.

    Empty for a learner without gradient steps.
    """
    learner = run.learner
    if learner.steps is None:
        return []
    loader = task_loader(run, data or run.dataset(), episodes, seed, ways=ways)
    return [
        Point(count, _figure(run, learner.with_steps(count), loader, episodes))
        for count in sorted({*steps, learner.steps})
    ]


def missing_curve(
    run: Run,
    shares: Sequence[float] = SHARES,
    episodes: int = 200,
    *,
    seed: int = 0,
    data: Dataset | None = None,
    ways: int | None = None,
) -> list[Point]:
    """The metric by share of missing cells, in support and query rows, on the same tasks.

    A row keeps at least one cell, so shares above 1 − 1/inputs are left out; empty for a single input.
    """
    most = 1 - 1 / len(run.learner.network.modalities)
    if most == 0:
        return []
    loader = task_loader(run, data or run.dataset(), episodes, seed, ways=ways)
    points = []
    for fraction in (each for each in shares if each <= most):
        corrupted = dataclasses.replace(loader, corruption=Corruption(missing={ALL: fraction} if fraction else {}))
        points.append(Point(fraction, _figure(run, run.learner, corrupted, episodes)))
    return points


def task_loader(
    run: Run, data: Dataset, episodes: int, seed: int = 0, part: str = "test", ways: int | None = None
) -> Loader:
    """The tasks that `run.evaluate` samples for the same seed and number of episodes.

    Raises:
        UsageError: for fewer than two episodes, which give no interval.
        DataError: if the split has no rows.
    """
    if episodes < 2:
        raise UsageError(f"episodes must be at least 2 to give an interval, not {episodes}")
    shots = least(run.config.shots)
    tasks = data.tasks(part, shots, skip_small=run.config.skip_bad)
    shape = Shape(min(8, episodes), ways or evaluation_ways(least(run.record.ways), tasks), shots, tasks.queries)
    return Loader(data.store, tasks.source, shape, seed)


def opened(run: Run | str | Path) -> Run:
    """The run itself, or the one in a folder."""
    return run if isinstance(run, Run) else Run.load(run)


def _figure(run: Run, learner: Learner, loader: Loader, episodes: int) -> Figure:
    origin = Origin(run.config.learner, run.config.fused_by)
    figures = Evaluator(learner, loader, episodes, learner.device, origin=origin).figures()
    return next(figure for figure in figures if figure.metric == learner.objective.metric)
