"""Figures as text: numbers in the unit of their metric, and the protocol printed below every figure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from omnishot.evaluation.figure import Figure
from omnishot.metrics.metric import Metric, metric_of

SPLITS = {"train": "training", "val": "validation", "test": "test"}


def number(value: float, metric: Metric) -> str:
    """A value of the metric as text: `47.1%`, or three significant digits."""
    return f"{100 * value:.1f}%" if metric.fraction else f"{value:.3g}"


def mean_and_interval(figure: Figure) -> tuple[str, str]:
    """A figure's mean and half-width: `47.1%` and `± 3.0`. The interval determines the number of decimals."""
    metric, half = metric_of(figure.metric), figure.ci95
    if metric.fraction:
        return number(figure.mean, metric), f"± {100 * half:.1f}"
    decimals = min(6, max(0, 1 - math.floor(math.log10(half)))) if 0 < half < math.inf else 3
    return f"{figure.mean:.{decimals}f}", f"± {half:.{decimals}f}"


def interval(figure: Figure) -> str:
    """A figure's mean with the interval: `47.1% ± 3.0`."""
    return " ".join(mean_and_interval(figure))


def shape(ways: Any, shots: Any, queries: int | None = None) -> str:
    """`5-way 1-shot, 15 queries a class`; ranges as `2 to 5`."""
    parts = f"{_range(shots)}-shot" if ways is None else f"{_range(ways)}-way {_range(shots)}-shot"
    return parts if queries is None else f"{parts}, {queries} queries a {'task' if ways is None else 'class'}"


def task(figure: Figure) -> str:
    """The shape of a figure's tasks: `5-way 1-shot, 15 queries a class`, and what rows of no class they have."""
    if figure.gallery:
        return f"retrieved among {figure.gallery:,} rows"
    more = f", and of {figure.open_set} open-set classes" if figure.open_set else ""
    return shape(figure.ways, figure.shots, figure.queries) + more


def protocol(figure: Figure) -> str:
    """Everything that a figure depends on except its condition."""
    if figure.gallery:
        galleries = f"{figure.episodes:,} galleries" if figure.episodes > 1 else "one gallery"
        over = "galleries" if figure.episodes > 1 else "its rows"
        rows = f"{galleries} of {SPLITS[figure.split]} rows, seed {figure.seed}; {task(figure)}, no task learned"
        return f"{rows}; ± is the 95% interval over {over}"
    return (
        f"{figure.episodes:,} {SPLITS[figure.split]} episodes, seed {figure.seed}; "
        f"{task(figure)}; {inductive_or_transductive(figure.transductive)}; "
        "± is the 95% interval of the mean over episodes"
    )


def inductive_or_transductive(transductive: bool) -> str:
    """Whether query rows were predicted independently or from each other's statistics."""
    return "transductive (uses the statistics of the query rows)" if transductive else "inductive"


def protocols(figures: Iterable[Figure]) -> list[str]:
    """The different protocols of some figures, in order."""
    return list(dict.fromkeys(map(protocol, figures)))


def condition(figure: Figure, inputs: int) -> str:
    """The condition of a figure in short: all of the run's `inputs` or some, and what was done to them."""
    names, done = figure.modalities, ", ".join(figure.phrases())
    if figure.corruption.support_inputs and figure.corruption.query_inputs:
        return done
    if len(names) < inputs:
        shown = f"{names[0]} alone" if len(names) == 1 else " + ".join(names)
        return f"{shown}, {done}" if done else shown
    return done or (names[0] if inputs == 1 else "all inputs")


def duration(seconds: float) -> str:
    """A number of seconds as text for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _range(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return str(value)
    return str(value[0]) if value[0] == value[1] else f"{value[0]} to {value[1]}"
