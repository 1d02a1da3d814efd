"""The one evaluation loop, and the record that every figure is."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from omnishot.distributed import ALONE, Ranks
from omnishot.episodes.loader import Loader
from omnishot.learners.base import Learner

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Figure:
    """One figure with all that it depends on; `ci95` is half the 95% interval of the mean over episodes."""

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
    noise: dict[str, float] = field(default_factory=dict)
    transductive: bool = False
    split: str = "test"
    seed: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The record."""
        return dataclasses.asdict(self) | {"modalities": list(self.modalities)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Figure:
        """The inverse of `to_json`."""
        return cls(**{**record, "modalities": tuple(record["modalities"])})

    def condition(self) -> str:
        """The inputs and what was done to them, for people."""
        parts = ["+".join(self.modalities)]
        parts += [f"{'half' if s == 0.5 else f'{s:.0%}'} of {'all' if n == '*' else n} cells missing"
                  for n, s in self.missing.items()]  # fmt: skip
        parts += [f"noise {level:g} on {name}" for name, level in self.noise.items()]
        return ", ".join(parts)

    def __str__(self) -> str:
        shape = f"{self.ways}-way " if self.ways else ""
        return (
            f"{self.metric} {self.mean:.4f} ± {self.ci95:.4f}  ({self.learner}, {self.condition()}; "
            f"{shape}{self.shots}-shot, {self.episodes} {self.split} episodes, seed {self.seed}"
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
        same = (
            f
            for f in self.figures
            if (f.modalities, f.missing, f.noise) == (first.modalities, first.missing, first.noise)
        )
        return {f.metric: f.mean for f in same}

    def to_json(self) -> list[dict[str, Any]]:
        """The records."""
        return [figure.to_json() for figure in self.figures]

    def __str__(self) -> str:
        return "\n".join(map(str, self.figures))


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
) -> dict[str, tuple[float, float]]:
    """Adapt to each episode's support rows and score its query rows: metric -> (mean, half-width of its interval).

    `label` shows progress on stderr. Of several ranks each scores its share of the meta-batches; all get the result
    that one rank alone would.
    """
    scores: list[dict[str, float]] = []
    outcomes: list[tuple[np.ndarray, np.ndarray]] = []
    own = ranks.span(math.ceil(episodes / loader.shape.tasks))
    left = episodes - own.start * loader.shape.tasks
    stream = loader.stream(own.start, own.stop)
    shown = track(stream, label or "", len(own), console=Console(stderr=True), disable=label is None, transient=True)
    for batch in shown:
        batch = batch.to(device)
        for t in range(min(batch.tasks, left - len(scores))):
            task = batch.task(t)
            prediction = learner.answer(learner.adapt(task.support), task.query)
            scores.append(learner.objective.metrics(prediction, task.query))
            assert task.query.target is not None
            outcomes.append((prediction.cpu().numpy(), task.query.target.cpu().numpy()))
    shares = ranks.gather((scores, outcomes))
    scores = [score for share, _ in shares for score in share]
    outcomes = [outcome for _, share in shares for outcome in share]
    names = list(scores[0])
    if learner.objective.metric in names:  # the metric that counts comes first
        names.sort(key=lambda name: name != learner.objective.metric)
    return {name: interval([s[name] for s in scores]) for name in names} | learner.objective.pooled(outcomes)


def figures(
    learner: Learner,
    loader: Loader,
    episodes: int,
    about: Mapping[str, Any],
    device: torch.device | str = "cpu",
    label: str | None = None,
    ranks: Ranks = ALONE,
) -> list[Figure]:
    """`run_episodes` as records; `about` holds what the loader does not know (learner, fusion, split)."""
    began = time.perf_counter()
    results = run_episodes(learner, loader, episodes, device, label, ranks)
    seconds = round(time.perf_counter() - began, 3)
    shape = loader.shape
    return [
        Figure(
            metric=metric,
            mean=mean,
            ci95=ci95,
            episodes=episodes,
            modalities=tuple(loader.only or loader.store.modalities),
            ways=shape.ways,  # type: ignore[arg-type]
            shots=shape.shots,  # type: ignore[arg-type]
            queries=shape.queries,
            missing=dict(loader.missing),
            noise=dict(loader.noise),
            transductive=learner.transductive,
            seed=loader.seed,
            seconds=seconds,
            **about,
        )
        for metric, (mean, ci95) in results.items()
    ]
