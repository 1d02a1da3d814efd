"""The evaluation loop: adapt to episodes, predict their query rows, score the predictions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from omnishot.core.distributed import ALONE, Ranks
from omnishot.episodes.loader import Loader, Shape
from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.evaluation.attacks import attacked
from omnishot.evaluation.figure import UNKNOWN, Figure, Origin, Results, interval
from omnishot.learners.base import Learner, Prediction

#: A task and its number among all episodes -> the task that is learned and predicted in its place.
Transform = Callable[[Episode, int], Episode]


@dataclass(frozen=True)
class Scores:
    """The results of every episode: metrics, and predictions and targets as arrays (`Objective.to_arrays`)."""

    metrics: list[dict[str, float]]
    arrays: list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Evaluator:
    """A learner and the episodes that it is evaluated on. Ranks divide the episodes; all get the same results.

    Args:
        loader: draws the episodes. If its corruption has an attack, the query rows are attacked after their task is
            learned, those of each task from its own random start.
        episodes: number of episodes.
        device: of the learner.
        label: of a progress bar on stderr; None: no bar.
        adapted: whether the support rows are learned before the query rows are predicted. If not, they are predicted
            from the learner's initial state.
        transform: changes each task before it is learned.
        origin: learner, fusion and part of the table, for figures.
    """

    learner: Learner
    loader: Loader
    episodes: int
    device: torch.device | str = "cpu"
    label: str | None = None
    ranks: Ranks = ALONE
    adapted: bool = True
    transform: Transform | None = None
    origin: Origin = UNKNOWN

    def tasks(self) -> Iterator[tuple[int, Episode]]:
        """This rank's episodes, each with its number among all of them."""
        at_once = self.loader.shape.tasks
        steps = self.ranks.shard(math.ceil(self.episodes / at_once))
        batches = track(
            self.loader.stream(steps.start, steps.stop), self.label or "", len(steps),
            console=Console(stderr=True), disable=self.label is None, transient=True,
        )  # fmt: skip
        for step, batch in zip(steps, batches, strict=True):
            batch = batch.to(self.device)
            first = step * at_once
            for t in range(min(batch.tasks, self.episodes - first)):
                yield first + t, batch.task(t)

    def predictions(self) -> Iterator[tuple[Prediction, Rows]]:
        """The prediction of the query rows of each of this rank's episodes, and those rows.

        Raises:
            UsageError: if tasks are not adapted to, and the learner has no prediction before adapting.
        """
        learner, attack = self.learner, self.loader.corruption.attack
        for number, task in self.tasks():
            if self.transform is not None:
                task = self.transform(task, number)
            if self.adapted:
                state = learner.adapt(task.support)
            else:
                state = learner.initial_state(learner.detached(), task.support.ways)
            query = task.query
            if attack is not None:
                place = (self.loader.seed, *divmod(number, self.loader.shape.tasks))
                query = attacked(attack, learner, state, query, place)
            yield learner.answer(state, query), query

    def arrays(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Predictions and targets of every episode of all ranks, without scoring them."""
        own = [self.learner.objective.to_arrays(*each) for each in self.predictions()]
        return [each for of_rank in self.ranks.gather(own) for each in of_rank]

    def scores(self) -> Scores:
        """The scores of every episode of all ranks."""
        objective = self.learner.objective
        own = Scores([], [])
        for prediction, query in self.predictions():
            own.metrics.append(objective.metrics(prediction, query))
            own.arrays.append(objective.to_arrays(prediction, query))
        parts = self.ranks.gather(own)
        return Scores([m for part in parts for m in part.metrics], [a for part in parts for a in part.arrays])

    def aggregate(self, scores: Scores) -> Results:
        """The results over all episodes, the metric that selects models first."""
        means = {name: interval([metrics[name] for metrics in scores.metrics]) for name in scores.metrics[0]}
        results = means | self.learner.objective.aggregate(scores.arrays)
        first = self.learner.objective.metric
        return ({first: results[first]} if first in results else {}) | results

    def results(self) -> Results:
        """Every metric over all episodes, as (mean, half the width of its 95% interval)."""
        return self.aggregate(self.scores())

    def figures(self) -> list[Figure]:
        """The results as figures."""
        began = time.perf_counter()
        results = self.results()
        return self.to_figures(results, time.perf_counter() - began)

    def to_figures(self, results: Results, seconds: float, open_set: int = 0) -> list[Figure]:
        """Results as figures; `open_set` of the tasks' classes had no support rows."""
        ways, shots = _shape(self.loader.shape)
        return [
            Figure(
                metric=metric,
                mean=mean,
                ci95=ci95,
                episodes=self.episodes,
                learner=self.origin.learner,
                fusion=self.origin.fusion,
                modalities=_inputs(self.loader),
                ways=None if ways is None else ways - open_set,
                shots=shots,
                queries=self.loader.shape.queries,
                corruption=self.loader.corruption,
                open_set=open_set,
                adapted=self.adapted,
                transductive=self.learner.transductive,
                split=self.origin.split,
                seed=self.loader.seed,
                seconds=round(seconds, 3),
            )
            for metric, (mean, ci95) in results.items()
        ]


def _shape(shape: Shape) -> tuple[int | None, int]:
    """Ways and shots of the tasks, which must all have the same shape.

    Raises:
        UsageError: if ways or shots are ranges: a figure is of one shape.
    """
    if isinstance(shape.ways, tuple) or isinstance(shape.shots, tuple):
        raise UsageError(f"a figure is of tasks of one shape, not of {shape.ways} ways and {shape.shots} shots")
    return shape.ways, shape.shots


def _inputs(loader: Loader) -> tuple[str, ...]:
    """The inputs that support or query rows have."""
    every = loader.only or tuple(loader.store.modalities)
    halves = (loader.corruption.support_inputs or every, loader.corruption.query_inputs or every)
    return tuple(name for name in every if any(name in half for half in halves))
