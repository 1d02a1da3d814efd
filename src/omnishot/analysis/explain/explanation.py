"""The explanation of a task's predictions: contributions of the inputs, and changes by adaptation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from omnishot.analysis.explain.task import Task


@dataclass(frozen=True)
class Change:
    """What adaptation to the task changed.

    Args:
        parameters: relative change of the parameters, ‖θ' − θ‖ / ‖θ‖, by module, greatest first; modules that did not
            change are left out.
        cka: linear CKA of the embeddings before and after adaptation by input, NaN where they do not vary; None where
            the network is unchanged or has no embeddings.
    """

    parameters: Mapping[str, float]
    cka: Mapping[str, float] | None


@dataclass(frozen=True)
class ProjectedFeatures:
    """Features of the query rows, and of the support rows where known, projected onto one plane, `[rows, 2]` each.

    Args:
        explained_variance: share of the features' variance within the plane, 0…1.
        before: features before adaptation; None where adaptation leaves the network unchanged.
        after: features after adaptation.
    """

    explained_variance: float
    before: list[np.ndarray] | None
    after: list[np.ndarray]


@dataclass(frozen=True)
class Explanation:
    """What each input contributed to the predictions of one task, row by row, and what adaptation changed.

    A query row has a value under every subset of its cells: the probability of its predicted class (after the
    objective's temperature), or the predicted number in its own unit. The network was never trained on rows without
    any cell, so the value of the empty subset is that of an uninformed prediction: the same probability for every
    class, or the mean of the training rows.

    Args:
        prediction: predicted classes or numbers, `[rows]`.
        probabilities: `[rows, classes]`; None for numbers.
        values: value under every subset of the inputs, float64 `[2**inputs, rows]`, in the order of `shapley.subsets`.
        alone: prediction from each input alone, `[rows, inputs]`; meaningless for absent cells.
        contributions: Shapley values `[rows, inputs]`; exactly zero for absent cells.
        fusion_weights: weight of each input in the fusion, `[rows, inputs]`; None if the fusion has no weights.
        neighbours: (indices of support rows, distances in the features after adaptation), `[rows, NEAREST]` each; None
            without support rows.
        similarity: mean cosines between embeddings of the inputs, `[inputs, inputs]` by kind of pair; None for
            networks with fewer than two embeddings.
    """

    task: Task
    prediction: np.ndarray
    probabilities: np.ndarray | None
    values: np.ndarray
    alone: np.ndarray
    contributions: np.ndarray
    fusion_weights: np.ndarray | None
    neighbours: tuple[np.ndarray, np.ndarray] | None
    similarity: Mapping[str, np.ndarray] | None
    change: Change
    features: ProjectedFeatures

    @property
    def inputs(self) -> list[str]:
        """The inputs' names, in order."""
        return self.task.learner.network.names

    @property
    def importance(self) -> np.ndarray:
        """Mean absolute contribution of each input over all rows, `[inputs]`; absent cells count as zero."""
        return np.abs(self.contributions).mean(0)

    @property
    def mean_contribution(self) -> np.ndarray:
        """Mean signed contribution, `[inputs]`; near zero for an input of noise, whose contributions cancel out."""
        return self.contributions.mean(0)

    @property
    def correct(self) -> np.ndarray:
        """Which rows are predicted correctly, bool `[rows]`; False where the target is unknown, and for numbers."""
        rows = len(self.prediction)
        return (self.prediction == self.task.query_target) if self.task.classes else np.zeros(rows, bool)

    def label(self, value: Any) -> str | float:
        """A class as its name, a number as it is."""
        return self.task.classes[int(value)] if self.task.classes else float(value)

    def to_json(self) -> dict[str, Any]:
        """All figures as plain values; unknown ones are null."""
        task, cka = self.task, self.change.cka
        return {
            "task": task.description,
            "notes": list(task.notes),
            "quantity": "probability of the predicted class" if task.classes else task.target,
            "classes": list(task.classes),
            "inputs": self.inputs,
            "importance": self._by_input(self.importance),
            "mean_contribution": self._by_input(self.mean_contribution),
            "fusion_weights": None if self.fusion_weights is None else self._by_input(self.fusion_weights.mean(0)),
            "similarity": self.similarity and {pair: _plain(cosines) for pair, cosines in self.similarity.items()},
            "cka": cka and {name: _plain(value) for name, value in cka.items()},
            "parameter_change": {name: _plain(value) for name, value in self.change.parameters.items()},
            "rows": [self._row(i) for i in range(len(self.prediction))],
        }

    def _row(self, i: int) -> dict[str, Any]:
        task, support = self.task, self.task.support
        row: dict[str, Any] = {
            "row": task.query.numbers[i],
            "prediction": self.label(self.prediction[i]),
            "target": self.label(task.query_target[i]) if task.has_target[i] else None,
            "base_value": float(self.values[0, i]),
            "value": float(self.values[-1, i]),
            "contributions": self._by_input(self.contributions[i]),
            "alone": {
                name: self.label(self.alone[i, j]) if task.query.present[i, j] else None
                for j, name in enumerate(self.inputs)
            },
            "fusion_weights": None if self.fusion_weights is None else self._by_input(self.fusion_weights[i]),
            "nearest": None,
        }
        if self.neighbours is not None and support is not None:
            row["nearest"] = [
                {"row": support.numbers[s], "target": self.label(task.support_target[s]), "distance": float(distance)}
                for s, distance in zip(self.neighbours[0][i], self.neighbours[1][i], strict=True)
            ]
        return row

    def _by_input(self, values: np.ndarray) -> dict[str, float]:
        return dict(zip(self.inputs, map(float, values), strict=True))


def _plain(value: Any) -> Any:
    """A number, or nested lists of numbers; null for numbers that are not finite."""
    if isinstance(value, np.ndarray):
        return [_plain(each) for each in value]
    return float(value) if math.isfinite(value) else None
