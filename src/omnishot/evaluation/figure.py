"""Figures: measured values with everything that they depend on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from omnishot.episodes.corruption import CLEAN, CORRUPTION_KEYS, Corruption

Z95 = 1.959963984540054
#: Mean over episodes and half-width of its 95% interval, by metric.
Results = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Origin:
    """The learner, the fusion and the part of the table that figures belong to."""

    learner: str = ""
    fusion: str = ""
    split: str = "test"


UNKNOWN = Origin()


@dataclass(frozen=True)
class Figure:
    """One figure with everything that it depends on.

    Args:
        mean, ci95: mean over episodes, and half the width of its 95% interval.
        modalities: the inputs that support or query rows have.
        ways: classes of a task; None where the target is no class.
        shots, queries: support and query rows, per class or, without classes, per task.
        corruption: what was done to the inputs.
        open_set: number of further classes that have query rows but no support rows.
        gallery: number of rows among which a query row's match was searched. Then no task was learned (`shots` is 0),
            and an episode is a gallery.
        adapted: whether the support rows were learned; if not, predictions are from the learner's initial state.
        transductive: whether predictions used the statistics of the query batch.
        seconds: duration of the evaluation.
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
    corruption: Corruption = CLEAN
    open_set: int = 0
    gallery: int = 0
    adapted: bool = True
    transductive: bool = False
    split: str = "test"
    seed: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The record: one level of keys, including those of the corruption."""
        record: dict[str, Any] = {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            record |= value.to_json() if each.name == "corruption" else {each.name: value}
        return record | {"modalities": list(self.modalities)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Figure:
        """The inverse of `to_json`."""
        own = {name: value for name, value in record.items() if name not in CORRUPTION_KEYS}
        own["modalities"] = tuple(own["modalities"])
        return cls(**own, corruption=Corruption.from_json(record))

    @property
    def condition(self) -> tuple[tuple[str, ...], bool, Corruption]:
        """The inputs, whether tasks were adapted to, and the corruption: equal for figures of the same condition."""
        return self.modalities, self.adapted, self.corruption

    @property
    def setting(self) -> Figure:
        """The figure without the measured values: equal for two measurements under the same setting."""
        return dataclasses.replace(self, mean=0.0, ci95=0.0, seconds=0.0)

    def phrases(self) -> list[str]:
        """What was done to the tasks, for people, as a list of phrases."""
        return [*(() if self.adapted else ("before adapting",)), *self.corruption.phrases()]

    def describe_condition(self) -> str:
        """The inputs and what was done to them, for people."""
        return ", ".join(["+".join(self.modalities), *self.phrases()])

    def __str__(self) -> str:
        value = f"{self.metric} {self.mean:.4f} ± {self.ci95:.4f}"
        if self.gallery:
            galleries = f"{self.episodes} galleries" if self.episodes > 1 else "one gallery"
            tasks = f"{galleries} of {self.gallery} {self.split} rows, seed {self.seed}"
        else:
            ways = f"{self.ways}-way " if self.ways else ""
            more = f", query rows of {self.open_set} further classes" if self.open_set else ""
            tasks = f"{ways}{self.shots}-shot{more}, {self.episodes} {self.split} episodes, seed {self.seed}"
            tasks += ", transductive" if self.transductive else ""
        return f"{value}  ({self.learner}, {self.describe_condition()}; {tasks})"


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
        """Half the width of its 95% interval."""
        return self.figures[0].ci95

    @property
    def metrics(self) -> dict[str, float]:
        """All metrics under the main figure's condition."""
        first = self.figures[0]
        return {f.metric: f.mean for f in self.figures if f.condition == first.condition}

    def to_json(self) -> list[dict[str, Any]]:
        """The records."""
        return [figure.to_json() for figure in self.figures]

    def __str__(self) -> str:
        """Every figure of the main condition; of the others the main metric (`to_json` has all)."""
        first = self.figures[0]
        shown = (f for f in self.figures if f.metric == first.metric or f.condition == first.condition)
        return "\n".join(map(str, shown))


def interval(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Mean and half the width of its 95% interval (normal) over episodes; infinite for a single one."""
    values = np.asarray(values, dtype=np.float64)
    spread = float(values.std(ddof=1)) if len(values) > 1 else math.inf
    return float(values.mean()), Z95 * spread / math.sqrt(len(values))
