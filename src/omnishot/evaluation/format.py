"""How figures are said to people: names of metrics, numbers, and the protocol that stands beneath every figure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from omnishot.evaluation.episodes import Figure


@dataclass(frozen=True)
class Metric:
    """A metric for people; a `fraction` of 1 is said in percent; a `detail` is told where all figures are."""

    label: str
    fraction: bool = False
    higher_is_better: bool = False
    detail: bool = False


METRICS = {
    "accuracy": Metric("Accuracy", fraction=True, higher_is_better=True),
    "accuracy_at_coverage_80": Metric("Accuracy on the surest 80%", fraction=True, higher_is_better=True),
    "accuracy_improvement": Metric("Accuracy gained by what is new", fraction=True, higher_is_better=True),
    "calibration_error": Metric("Calibration error", fraction=True),
    "calibration_error_raw": Metric("Calibration error without temperature", fraction=True, detail=True),
    "loss": Metric("Loss"),
    "open_set_auroc": Metric("Rows of other classes told apart (AUROC)", fraction=True, higher_is_better=True),
    "open_set_auroc_confidence": Metric(
        "Rows of other classes told apart by the highest probability (AUROC)",
        fraction=True,
        higher_is_better=True,
        detail=True,
    ),
    "mae": Metric("Mean absolute error"),
    "rmse": Metric("Root mean squared error"),
    "r2": Metric("Explained variance (R²)", higher_is_better=True),
    "bleu1": Metric("BLEU-1", fraction=True, higher_is_better=True, detail=True),
    "bleu2": Metric("BLEU-2", fraction=True, higher_is_better=True, detail=True),
    "bleu3": Metric("BLEU-3", fraction=True, higher_is_better=True, detail=True),
    "bleu4": Metric("BLEU-4", fraction=True, higher_is_better=True),
    "rouge_l": Metric("ROUGE-L", fraction=True, higher_is_better=True),
    "cider_d": Metric("CIDEr-D", higher_is_better=True),
    "new_word_recall": Metric("New words said where people say them", fraction=True, higher_is_better=True),
    "new_word_precision": Metric("New words said rightly", fraction=True, higher_is_better=True),
    "token_accuracy": Metric("Next tokens guessed", fraction=True, higher_is_better=True, detail=True),
    "soft_accuracy": Metric("Answers people agree with", fraction=True, higher_is_better=True),
    "soft_accuracy_generated": Metric("… generated", fraction=True, higher_is_better=True, detail=True),
    "soft_accuracy_chosen": Metric("… chosen among the task's", fraction=True, higher_is_better=True, detail=True),
    "word_error_rate": Metric("Word error rate", fraction=True),
    "character_error_rate": Metric("Character error rate", fraction=True),
}

SPLITS = {"train": "training", "val": "validation", "test": "test"}


def metric_of(name: str) -> Metric:
    """The metric of a name; one that is not known here is said as it is, more being better."""
    return (
        METRICS.get(name) or _of_retrieval(name) or Metric(name.replace("_", " ").capitalize(), higher_is_better=True)
    )


def _of_retrieval(name: str) -> Metric | None:
    """The metric of such a name as `recall_at_5_image_to_text_by_chance`."""
    found = re.fullmatch(r"(recall_at_(\d+)|median_rank)_(.+)_to_(.+?)(_by_chance)?", name)
    if found is None:
        return None
    _, k, one, other, chance = found.groups()
    label = f"{f'Recall@{k}' if k else 'Median rank'}, {one} → {other}{', by chance' if chance else ''}"
    return Metric(label, fraction=bool(k), higher_is_better=bool(k), detail=bool(chance) or k in ("5", "10"))


def number(value: float, metric: Metric) -> str:
    """A value of the metric: `47.1%`, or three significant digits."""
    return f"{100 * value:.1f}%" if metric.fraction else f"{value:.3g}"


def spoken(figure: Figure) -> tuple[str, str]:
    """A figure's mean and half-width: `47.1%` and `± 3.0`, or with as many decimals as the interval deserves."""
    metric, half = metric_of(figure.metric), figure.ci95
    if metric.fraction:
        return number(figure.mean, metric), f"± {100 * half:.1f}"
    decimals = min(6, max(0, 1 - math.floor(math.log10(half)))) if 0 < half < math.inf else 3
    return f"{figure.mean:.{decimals}f}", f"± {half:.{decimals}f}"


def interval(figure: Figure) -> str:
    """A figure's mean with the interval: `47.1% ± 3.0`."""
    return " ".join(spoken(figure))


def shape(ways: Any, shots: Any, queries: int | None = None) -> str:
    """`5-way 1-shot, 15 queries a class`; ranges as `2 to 5`."""
    parts = f"{_range(shots)}-shot" if ways is None else f"{_range(ways)}-way {_range(shots)}-shot"
    return parts if queries is None else f"{parts}, {queries} queries a {'task' if ways is None else 'class'}"


def task(figure: Figure) -> str:
    """The shape of a figure's tasks: `5-way 1-shot, 15 queries a class`, and what rows of no class they have."""
    if figure.gallery:
        return f"found among {figure.gallery:,} rows"
    strangers = f", and of {figure.open_set} open-set classes" if figure.open_set else ""
    return shape(figure.ways, figure.shots, figure.queries) + strangers


def protocol(figure: Figure) -> str:
    """All that a figure depends on beside its condition."""
    if figure.gallery:
        drawn = f"{figure.episodes:,} galleries" if figure.episodes > 1 else "one gallery"
        over = "galleries" if figure.episodes > 1 else "its rows"
        rows = f"{drawn} of {SPLITS[figure.split]} rows, seed {figure.seed}; {task(figure)}, no task learned"
        return f"{rows}; ± is the 95% interval over {over}"
    return (
        f"{figure.episodes:,} {SPLITS[figure.split]} episodes, seed {figure.seed}; "
        f"{task(figure)}; {ductive(figure.transductive)}; "
        "± is the 95% interval of the mean over episodes"
    )


def ductive(transductive: bool) -> str:
    """Whether query rows were judged one by one or used one another."""
    return "transductive (uses the statistics of the query rows)" if transductive else "inductive"


def protocols(figures: Iterable[Figure]) -> list[str]:
    """The different protocols of some figures, in order."""
    return list(dict.fromkeys(map(protocol, figures)))


def condition(figure: Figure, inputs: int) -> str:
    """What a figure was measured on, said short: all of the run's `inputs`, some of them, what was missing or noisy."""
    names, spoiled = figure.modalities, figure.condition().partition(", ")[2]
    if figure.support_inputs and figure.query_inputs:
        return spoiled
    if len(names) < inputs:
        shown = f"{names[0]} alone" if len(names) == 1 else " + ".join(names)
        return f"{shown}, {spoiled}" if spoiled else shown
    return spoiled or (names[0] if inputs == 1 else "all inputs")


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _range(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return str(value)
    return str(value[0]) if value[0] == value[1] else f"{value[0]} to {value[1]}"
