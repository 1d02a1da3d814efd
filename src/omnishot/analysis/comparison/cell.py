"""A cell of a comparison: one learner with one fusion, trained under the budget and evaluated on the test tasks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnishot.errors import DataError, OmnishotError
from omnishot.evaluation.figure import Figure
from omnishot.training.budget import Budget, measure_pace
from omnishot.training.train import Training, prepare, train
from omnishot.training.trainer import Interrupted


@dataclass(frozen=True)
class Cell:
    """One learner with one fusion.

    Args:
        fusion: None where there is a single input.
        figures: the main figure first; empty if training or evaluation failed, or has not been done.
        error: why it failed.
        steps: meta-training steps taken.
        planned_seconds: of meta-training, estimated before it began; for a budget of time.
        seconds: of meta-training, validation included.
        parameters: how many numbers are learned across tasks.
    """

    learner: str
    fusion: str | None
    figures: tuple[Figure, ...] = ()
    error: str | None = None
    steps: int | None = None
    planned_seconds: float | None = None
    seconds: float | None = None
    parameters: int | None = None

    @property
    def name(self) -> str:
        """The name of its run folder."""
        return self.learner if self.fusion is None else f"{self.learner}+{self.fusion}"

    @property
    def task_seconds(self) -> float | None:
        """Seconds to sample, learn and predict one test task."""
        return self.figures[0].seconds / self.figures[0].episodes if self.figures else None

    def to_json(self) -> dict[str, Any]:
        """The record that `from_json` reads."""
        return {**vars(self), "figures": [f.to_json() for f in self.figures], "task_seconds": self.task_seconds}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Cell:
        """The inverse of `to_json`; further entries of the record are ignored."""
        own = {name: record[name] for name in cls.__dataclass_fields__}
        return cls(**own | {"figures": tuple(map(Figure.from_json, record["figures"]))})


@dataclass
class CellTraining:
    """Trains and evaluates one cell, or resumes its run.

    Args:
        cell: replaced as results arrive.
        folder: of the run.
        budget: of the meta-training.
        test: options of `Run.evaluate`.
        save: called with the cell when its number of steps is known, before training begins.
    """

    cell: Cell
    folder: Path
    budget: Budget
    test: Mapping[str, Any]
    save: Callable[[Cell], object]
    progress: bool = False

    def __call__(self, table: Any, options: Mapping[str, Any]) -> Cell:
        """The finished cell; one that failed has its `error` set.

        Args:
            table: what `train` reads.
            options: of `train`; a run that is resumed keeps those it has.

        Raises:
            Interrupted: if training was stopped.
        """
        self.cell = dataclasses.replace(self.cell, error=None)
        try:
            if (self.folder / "config.toml").exists():
                run = train(table, out=self.folder, resume=True, progress=self.progress)
            else:
                training = prepare(table, out=self.folder, progress=self.progress, **options)
                self._set_steps(training)
                run = training.run()
            test_table = None if isinstance(table, str | Path) else table
            evaluation = run.evaluate(test_table, progress=self.progress, **self.test)
            if not math.isfinite(evaluation.mean):
                raise DataError(f"{evaluation.figures[0].metric} is {evaluation.mean}")
        except Interrupted:
            raise Interrupted(
                f"stopped within {self.cell.name}; to go on, repeat the command with --resume "
                "(or om.compare(…, resume=True))"
            ) from None
        except OmnishotError as error:
            return dataclasses.replace(self.cell, error=str(error))
        summary = run.summary()
        return dataclasses.replace(
            self.cell,
            figures=evaluation.figures,
            steps=summary["step"],
            seconds=summary["seconds"],
            parameters=sum(p.numel() for p in run.learner.parameters()),
        )

    def _set_steps(self, training: Training) -> None:
        """Set as many steps as fit into a budget of time; a budget of steps is an option of the training already."""
        learner, config, tasks = training.learner, training.config, training.tasks
        if self.budget.minutes is None or not learner.meta_trained:
            return
        seconds = 60 * self.budget.minutes
        pace = measure_pace(learner, tasks.train, tasks.val, config, seconds)
        steps, every = pace.steps_within(seconds, config.val_every)
        self.cell = dataclasses.replace(self.cell, planned_seconds=pace.seconds(steps, every))
        self.save(self.cell)
        training.config = dataclasses.replace(config, steps=steps, val_every=every, plan=pace.plan)
