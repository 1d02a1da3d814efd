"""The one evaluation loop, and the record that every figure is."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from omnishot.core.distributed import ALONE, Ranks
from omnishot.episodes.loader import Loader
from omnishot.episodes.rows import Episode, Rows
from omnishot.evaluation.attacks import Attack
from omnishot.learners.base import Learner

#: A task and its number to that task with more in it.
Met = Callable[[Episode, int], Episode]
Z95 = 1.959963984540054
#: Fields of a figure that are names of inputs.
NAMES = ("modalities", "support_inputs", "query_inputs", "new")


@dataclass(frozen=True)
class Figure:
    """One figure with all that it depends on; `ci95` is half the 95% interval of the mean over episodes.

    Not `adapted`, query rows were predicted from where the learner begins, and the support rows (`shots`) not used.
    Where rows were to be found among a `gallery` of so many, nothing was learned from `shots`; an episode is a gallery.
    """

    metric: str
    mean: float
    ci95: float
    episodes: int
    learner: str
    fusion: str
    modalities: tuple[str, ...]
    ways: int | None
    shots: int
    queries: int
    missing: dict[str, float] = field(default_factory=dict)
    missing_in: str = "all"
    noise: dict[str, float] = field(default_factory=dict)
    failure: dict[str, str] = field(default_factory=dict)
    attack: dict[str, Any] = field(default_factory=dict)
    support_inputs: tuple[str, ...] = ()
    query_inputs: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    open_set: int = 0
    gallery: int = 0
    adapted: bool = True
    transductive: bool = False
    split: str = "test"
    seed: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The record."""
        return dataclasses.asdict(self) | {name: list(getattr(self, name)) for name in NAMES}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Figure:
        """The inverse of `to_json`."""
        return cls(**{**record, **{name: tuple(record.get(name, ())) for name in NAMES}})

    def condition(self) -> str:
        """The inputs and what was done to them, for people."""
        parts = ["+".join(self.modalities), *(f"{name} met at adaptation" for name in self.new)]
        parts += [] if self.adapted else ["before adapting"]
        halves = (("support", self.support_inputs), ("query", self.query_inputs))
        parts += [f"{half} rows of {'+'.join(inputs)} only" for half, inputs in halves if inputs]
        where = "" if self.missing_in == "all" else f" in {self.missing_in} rows"
        parts += [f"{'half' if s == 0.5 else f'{s:.0%}'} of {'all' if n == '*' else n} cells missing{where}"
                  for n, s in self.missing.items()]  # fmt: skip
        parts += [f"noise {level:g} on {name}" for name, level in self.noise.items()]
        parts += [f"{name} {failure}" for name, failure in self.failure.items()]
        for name, radius in self.attack.get("epsilon", {}).items():
            steps = f"-{self.attack['steps']}" if self.attack["steps"] > 1 else ""
            parts.append(f"{self.attack['name']}{steps} within {radius:g} on {name}")
        return ", ".join(parts)

    def __str__(self) -> str:
        if self.gallery:
            galleries = f"{self.episodes} galleries" if self.episodes > 1 else "one gallery"
            among = f"{galleries} of {self.gallery} {self.split} rows"
            return (
                f"{self.metric} {self.mean:.4f} ± {self.ci95:.4f}  ({self.learner}, {self.condition()}; {among}, "
                f"seed {self.seed})"
            )
        shape = f"{self.ways}-way " if self.ways else ""
        strangers = f", query rows of {self.open_set} further classes" if self.open_set else ""
        return (
            f"{self.metric} {self.mean:.4f} ± {self.ci95:.4f}  ({self.learner}, {self.condition()}; "
            f"{shape}{self.shots}-shot{strangers}, {self.episodes} {self.split} episodes, seed {self.seed}"
            f"{', transductive' if self.transductive else ''})"
        )


@dataclass(frozen=True)
class Evaluation:
    """Figures of one evaluation. The first is the main one: the objective's metric with every input as it is."""

    figures: tuple[Figure, ...]

    @property
    def mean(self) -> float:
        """The main figure."""
        return self.figures[0].mean

    @property
    def ci95(self) -> float:
        """Half-width of its 95% interval."""
        return self.figures[0].ci95

    @property
    def metrics(self) -> dict[str, float]:
        """All metrics under the main figure's condition."""
        first = self.figures[0]
        return {f.metric: f.mean for f in self.figures if f.condition() == first.condition()}

    def to_json(self) -> list[dict[str, Any]]:
        """The records."""
        return [figure.to_json() for figure in self.figures]

    def __str__(self) -> str:
        """Every figure of the main condition; of the others the main metric (`to_json` has all)."""
        first = self.figures[0]
        shown = (f for f in self.figures if f.metric == first.metric or f.condition() == first.condition())
        return "\n".join(map(str, shown))


def interval(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Mean and half-width of its 95% interval (normal) over episodes; infinite for a single one."""
    values = np.asarray(values, dtype=np.float64)
    spread = float(values.std(ddof=1)) if len(values) > 1 else math.inf
    return float(values.mean()), Z95 * spread / math.sqrt(len(values))


def run_episodes(
    learner: Learner,
    loader: Loader,
    episodes: int,
    device: torch.device | str = "cpu",
    label: str | None = None,
    ranks: Ranks = ALONE,
    attack: Attack | None = None,
    adapted: bool = True,
) -> dict[str, tuple[float, float]]:
    """Adapt to each episode's support rows and score its query rows: metric -> (mean, half-width of its interval).

    Unless `adapted`, the query rows are predicted from where the learner begins, without the support rows.

    `label` shows progress on stderr. Of several ranks each scores its share of the meta-batches; all get the result
    that one rank alone would.
    """
    return summed(learner, *scored(learner, loader, episodes, device, label, ranks, attack, adapted=adapted))


Scores = list[dict[str, float]]
Outcomes = list[tuple[np.ndarray, np.ndarray]]


def scored(
    learner: Learner,
    loader: Loader,
    episodes: int,
    device: torch.device | str = "cpu",
    label: str | None = None,
    ranks: Ranks = ALONE,
    attack: Attack | None = None,
    met: Met | None = None,
    adapted: bool = True,
) -> tuple[Scores, Outcomes]:
    """The metrics of every episode, and its predictions and targets; see `run_episodes` and `answered`."""
    scores: Scores = []
    outcomes: Outcomes = []
    for prediction, query in answered(learner, loader, episodes, device, label, ranks, attack, met, adapted):
        scores.append(learner.objective.metrics(prediction, query))
        outcomes.append(learner.objective.to_arrays(prediction, query))
    shares = ranks.gather((scores, outcomes))
    return [score for share, _ in shares for score in share], [each for _, share in shares for each in share]


def summed(learner: Learner, scores: Scores, outcomes: Outcomes) -> dict[str, tuple[float, float]]:
    """The figures of all episodes: metric -> (mean, half-width of its interval)."""
    found = {name: interval([s[name] for s in scores]) for name in scores[0]} | learner.objective.aggregate(outcomes)
    first = learner.objective.metric  # what counts
    return ({first: found[first]} if first in found else {}) | found


def answered(
    learner: Learner,
    loader: Loader,
    episodes: int,
    device: torch.device | str = "cpu",
    label: str | None = None,
    ranks: Ranks = ALONE,
    attack: Attack | None = None,
    met: Met | None = None,
    adapted: bool = True,
) -> Iterator[tuple[Tensor, Rows]]:
    """Adapt to each of a rank's share of the episodes: the prediction of its query rows, and those rows.

    Args:
        attack: the query rows are as it leaves them, of each task by a seed of its own.
        met: gives each task as it is learned and answered.
        adapted: whether a task is learned before it is answered, or answered from where the learner begins.

    Raises:
        UsageError: if it is not to be adapted, and the learner predicts nothing before.
    """
    for number, task in drawn(loader, episodes, device, label, ranks):
        if met is not None:
            task = met(task, number)
        state = learner.adapt(task.support) if adapted else learner.initial_state(learner.detached(), task.support.ways)
        query = task.query
        if attack is not None:
            query = attack.on(learner, state, query, (loader.seed, *divmod(number, loader.shape.tasks)))
        yield learner.answer(state, query), query


def drawn(
    loader: Loader,
    episodes: int,
    device: torch.device | str = "cpu",
    label: str | None = None,
    ranks: Ranks = ALONE,
) -> Iterator[tuple[int, Episode]]:
    """A rank's share of the episodes, each with its number among all of them."""
    own = ranks.shard(math.ceil(episodes / loader.shape.tasks))
    stream = loader.stream(own.start, own.stop)
    shown = track(stream, label or "", len(own), console=Console(stderr=True), disable=label is None, transient=True)
    for step, batch in zip(own, shown, strict=True):
        batch = batch.to(device)
        first = step * loader.shape.tasks
        for t in range(min(batch.tasks, episodes - first)):
            yield first + t, batch.task(t)


def figures(
    learner: Learner,
    loader: Loader,
    episodes: int,
    about: Mapping[str, Any],
    device: torch.device | str = "cpu",
    label: str | None = None,
    ranks: Ranks = ALONE,
    attack: Attack | None = None,
    adapted: bool = True,
) -> list[Figure]:
    """`run_episodes` as records; `about` holds what the loader does not know (learner, fusion, split)."""
    began = time.perf_counter()
    results = run_episodes(learner, loader, episodes, device, label, ranks, attack, adapted)
    seconds = time.perf_counter() - began
    return records(results, learner, loader, episodes, {**about, "adapted": adapted}, seconds, attack)


def records(
    results: Mapping[str, tuple[float, float]],
    learner: Learner,
    loader: Loader,
    episodes: int,
    about: Mapping[str, Any],
    seconds: float,
    attack: Attack | None = None,
    open_set: int = 0,
) -> list[Figure]:
    """Metrics (mean, half-width of its interval) as records; `open_set` of the tasks' classes lack support rows."""
    shape = loader.shape
    return [
        Figure(
            metric=metric,
            mean=mean,
            ci95=ci95,
            episodes=episodes,
            modalities=_inputs(loader),
            ways=None if shape.ways is None else shape.ways - open_set,  # type: ignore[operator]
            shots=shape.shots,  # type: ignore[arg-type]
            queries=shape.queries,
            missing=dict(loader.missing),
            missing_in=loader.missing_in,
            noise=dict(loader.noise),
            failure=dict(loader.failure),
            attack=attack.to_json() if attack else {},
            support_inputs=loader.support_inputs,
            query_inputs=loader.query_inputs,
            open_set=open_set,
            transductive=learner.transductive,
            seed=loader.seed,
            seconds=round(seconds, 3),
            **about,
        )
        for metric, (mean, ci95) in results.items()
    ]


def _inputs(loader: Loader) -> tuple[str, ...]:
    """The inputs that support or query rows have."""
    every = loader.only or tuple(loader.store.modalities)
    halves = (loader.support_inputs or every, loader.query_inputs or every)
    return tuple(name for name in every if any(name in half for half in halves))
