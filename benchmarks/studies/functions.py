"""Meta-learning on functions of one number that are drawn fresh at every step: what is trained on, and errors."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import studies
import torch

from omnishot.episodes.corruption import CLEAN, Corruption
from omnishot.episodes.loader import Loader, Shape
from omnishot.episodes.rows import Episode, Rows
from omnishot.evaluation.figure import Figure, interval
from omnishot.experiment.build import build_learner
from omnishot.experiment.config import Config
from omnishot.learners.base import Learner
from omnishot.modality.tabular import Tabular
from omnishot.objectives.regress import Regress
from omnishot.worlds.functions import draw

TRAIN, VAL, TEST = 0, 1, 2  # seeds; no task is drawn twice
QUERIES = 100  # places where a new function is judged
X = Tabular(("x",), ("number",), (0.0,), (1.0,), ((),))  # as it is, from -5 to 5, with its presence flag


def rows(x: np.ndarray, y: np.ndarray) -> Rows:
    """Rows `[tasks, rows]` of one number `x` with the target `y`, both in their own unit."""
    cells = torch.from_numpy(np.stack([x, np.ones_like(x)], -1)).float().unsqueeze(-2)
    target = torch.from_numpy(y).float().unsqueeze(-1)
    return Rows({"tabular": cells}, torch.ones(*x.shape, 1, dtype=torch.bool), target)


@dataclass(frozen=True)
class Fresh:
    """What a `Loader` is to a table: the meta-batch of every step, of functions that no other step has.

    Task i of a meta-batch is of family i, in turn.
    """

    families: tuple[str, ...]
    shape: Shape
    seed: int
    shard: tuple[int, int] = (0, 1)
    corruption: Corruption = CLEAN

    def batch(self, step: int) -> Episode:
        """The meta-batch of one step, a pure function of the seed and the step."""
        rng, shots = np.random.default_rng([self.seed, step]), self.shape.shots
        drawn = [
            draw(rng, self.families[i % len(self.families)], shots + self.shape.queries)  # type: ignore[operator]
            for i in range(self.shape.tasks)
        ]
        x, y = (np.stack(part)[self.shard[0] :: self.shard[1]] for part in zip(*drawn, strict=True))
        return Episode(rows(x[:, :shots], y[:, :shots]), rows(x[:, shots:], y[:, shots:]))

    stream = Loader.stream


@dataclass(frozen=True)
class Functions(studies.Study):
    """Training on functions of these families; in training there are as many queries as shots."""

    families: tuple[str, ...]
    tasks: int  # a meta-batch
    width: tuple[int, ...]
    steps: int
    tuning_steps: int
    episodes: int  # new tasks of each family
    shots: int = 10
    lr: float = 1e-3

    def config(self, learner: str, options: dict[str, Any], steps: int) -> Config:
        return Config(
            learner=learner, options=options, inputs={"tabular": {"width": list(self.width)}}, lr=self.lr,
            tasks=self.tasks, shots=self.shots, steps=steps, val_episodes=100, plan="vmap",
        )  # fmt: skip

    def build(self, learner: str, options: dict[str, Any]) -> Learner:
        fresh = build_learner(self.config(learner, options, 0), {"tabular": X}, Regress(), None, 0)
        if fresh.needs.rows:
            drawn = Fresh(self.families, Shape(fresh.needs.rows, None, 1, 1), TRAIN).batch(0)
            fresh.remember(drawn.support.map(lambda t: t[:, 0]))
        return fresh

    def loaders(self) -> tuple[Any, Any]:
        train = Fresh(self.families, Shape(self.tasks, None, self.shots, self.shots), TRAIN)
        return train, dataclasses.replace(train, seed=VAL)

    def error(self, learner: Learner) -> float:
        return float(errors(learner, self.new(VAL, self.shots, 200 * len(self.families))).mean())

    def new(self, seed: int, shots: int, tasks: int) -> Episode:
        """New tasks in one meta-batch, with up to the trained number of shots: the same tasks for any number."""
        # No step of a training or its validation has these.
        batch = Fresh(self.families, Shape(tasks, None, self.shots, QUERIES), seed).batch(10**9)
        return Episode(batch.support.map(lambda t: t[:, :shots]), batch.query)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def errors(learner: Learner, batch: Episode) -> np.ndarray:
    """The mean squared error on the query rows of every task after adapting to it, `[tasks]`."""
    assert batch.query.target is not None
    return (studies.answers(learner, batch) - batch.query.target).double().square().mean((-2, -1)).numpy()


def figure(errors: np.ndarray, name: str, shots: int, more: dict[str, Any]) -> dict[str, Any]:
    """The record of a mean squared error over new tasks."""
    mean, ci95 = interval(errors)
    record = Figure("mse", mean, ci95, len(errors), name, "none", ("tabular",), None, shots, QUERIES, seed=TEST)
    return record.to_json() | more


def with_rates(study: Functions, learner: Learner, record: dict[str, Any]) -> dict[float, Learner]:
    """Copies of a trained learner with other step sizes on a task, if those have no part in its training."""
    copies = {}
    if hasattr(learner, "fit_lr"):
        for rate in studies.RATES:
            copies[rate] = study.build(record["learner"], record["options"] | {"fit_lr": rate})
            copies[rate].load_state_dict(learner.state_dict())
    return copies


def tune(study: Functions, learners: dict[float, Learner], shots: int) -> float:
    """The step size whose learner errs least on validation tasks."""
    batch = study.new(VAL, shots, 200 * len(study.families))
    tried = {rate: float(errors(learner, batch).mean()) for rate, learner in learners.items()}
    print(f"{shots} shots, step sizes and their errors on validation tasks: {tried}", flush=True)
    return min((rate for rate in tried if math.isfinite(tried[rate])), key=tried.__getitem__)
