"""The table of metrics: what each is called, its unit, and whether more of it is better."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from omnishot.errors import UsageError, nearest


@dataclass(frozen=True)
class Metric:
    """How a metric is read.

    Args:
        label: its name in reports.
        higher_is_better: whether a greater value is better.
        fraction: whether it is a fraction of 1, printed in percent; else a plain number.
        detail: whether a page prints it only where it lists every figure.
    """

    label: str
    higher_is_better: bool
    fraction: bool = False
    detail: bool = False


def _score(label: str, detail: bool = False) -> Metric:
    """A fraction of 1 of which more is better."""
    return Metric(label, higher_is_better=True, fraction=True, detail=detail)


def _error(label: str, fraction: bool = False, detail: bool = False) -> Metric:
    """A metric of which less is better."""
    return Metric(label, higher_is_better=False, fraction=fraction, detail=detail)


_METRICS: dict[str, Metric] = {
    "loss": _error("Loss"),
    # classes
    "accuracy": _score("Accuracy"),
    "accuracy_at_coverage_80": _score("Accuracy on the 80% most confident rows"),
    "calibration_error": _error("Calibration error", fraction=True),
    "calibration_error_raw": _error("Calibration error without temperature", fraction=True, detail=True),
    "open_set_auroc": _score("Rows of unknown classes detected (AUROC)"),
    "open_set_auroc_confidence": _score("Rows of unknown classes detected by the highest probability (AUROC)", True),
    # numbers
    "mae": _error("Mean absolute error"),
    "rmse": _error("Root mean squared error"),
    "mse": _error("Mean squared error"),
    "r2": Metric("Explained variance (R²)", higher_is_better=True),
    "pearson": Metric("Pearson correlation", higher_is_better=True),
    "spearman": Metric("Spearman correlation", higher_is_better=True),
    # texts
    "bleu1": _score("BLEU-1", detail=True),
    "bleu2": _score("BLEU-2", detail=True),
    "bleu3": _score("BLEU-3", detail=True),
    "bleu4": _score("BLEU-4"),
    "rouge_l": _score("ROUGE-L"),
    "cider_d": Metric("CIDEr-D", higher_is_better=True),
    "new_word_recall": _score("Recall of a task's own words"),
    "new_word_precision": _score("Precision of a task's own words"),
    "token_accuracy": _score("Accuracy of the next token", detail=True),
    "soft_accuracy": _score("Soft accuracy of answers"),
    "soft_accuracy_generated": _score("Soft accuracy of generated answers", detail=True),
    "soft_accuracy_chosen": _score("Soft accuracy of answers chosen from the support rows", detail=True),
    "word_error_rate": _error("Word error rate", fraction=True),
    "character_error_rate": _error("Character error rate", fraction=True),
    # labels
    "mean_average_precision": _score("Mean average precision"),
    "f1_micro": _score("F1 over all labels (micro)"),
    "f1_macro": _score("F1, mean over labels (macro)"),
}
_RETRIEVAL = re.compile(r"(?:recall_at_(\d+)|median_rank)(?:_(.+)_to_(.+?))?(_by_chance)?")


def metric_of(name: str) -> Metric:
    """The metric of a name.

    Besides the names of the table these are known: `mae_2`, a metric of numbers for the second target; `recall_at_5`
    and `median_rank`, with `_image_to_text` and `_by_chance` after them; `accuracy_improvement`, the paired improvement
    of a metric.

    Raises:
        UsageError: if the name is unknown, with the nearest known one: whether more of it is better is never guessed.
    """
    metric = _METRICS.get(name) or _of_target(name) or _of_retrieval(name) or _of_improvement(name)
    if metric is None:
        raise UsageError(
            f"unknown metric {name!r}: {nearest(name, _METRICS)}. An objective declares its own metrics (own_metrics)"
        )
    return metric


def add_metrics(metrics: Mapping[str, Metric]) -> None:
    """Add metrics to the table, by name.

    Raises:
        UsageError: if a name has another meaning already.
    """
    for name, metric in metrics.items():
        if _METRICS.setdefault(name, metric) != metric:
            raise UsageError(f"metric {name!r} is defined already, as {_METRICS[name]}: choose another name")


def _of_target(name: str) -> Metric | None:
    """The metric of one of several targets, such as `mae_1`."""
    base, _, place = name.rpartition("_")
    if base not in ("mae", "rmse", "r2") or not place.isdecimal():
        return None
    return replace(_METRICS[base], label=f"{_METRICS[base].label}, target {place}", detail=True)


def _of_retrieval(name: str) -> Metric | None:
    """The metric of a name such as `recall_at_5_image_to_text_by_chance`."""
    match = _RETRIEVAL.fullmatch(name)
    if match is None:
        return None
    k, one, other, chance = match.groups()
    inputs = f", {one} → {other}" if one else ""
    label = f"{f'Recall@{k}' if k else 'Median rank'}{inputs}{', by chance' if chance else ''}"
    return Metric(label, bool(k), fraction=bool(k), detail=bool(chance) or k in ("5", "10"))


def _of_improvement(name: str) -> Metric | None:
    """The metric of a paired improvement, counted so that more of it is better whatever it is of."""
    base = name.removesuffix("_improvement")
    if base == name or base not in _METRICS:
        return None
    of = _METRICS[base]
    return replace(of, label=f"{of.label}: improvement by the new inputs", higher_is_better=True)
