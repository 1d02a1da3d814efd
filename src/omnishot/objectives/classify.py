"""Classes: cross-entropy, accuracy, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from omnishot.episodes.rows import Rows, target_of
from omnishot.errors import DataError, UsageError, choose
from omnishot.nn.heads import Head, LinearHead, PrototypeHead
from omnishot.nn.network import Network
from omnishot.objectives.base import CLASSES, Objective
from omnishot.objectives.calibration import (
    accuracy_at_coverage,
    calibration_counts,
    fit_temperature,
    resampled_calibration_error,
)
from omnishot.objectives.targets import TableTarget, TaskTarget
from omnishot.table.table import Table
from omnishot.table.targets import CLASS, OF_CLASSES


class Classify(Objective):
    """One class a row, out of the classes of the task's support set.

    Args:
        temperature: divides the scores before the softmax. The most probable class does not depend on it, and training
            does not use it. Meta-training ends by fitting it to the validation tasks (`calibrated`); for another
            number of classes or shots it is an approximation, because a learner's confidence changes with both.
    """

    name = "classify"
    gives = "a class"
    metric = "accuracy"
    kind = CLASSES
    target_form = CLASS
    tasks_of = OF_CLASSES
    published_head = "linear"
    fitted = ("temperature",)
    explainable = True

    def __init__(self, temperature: float = 1.0):
        self.temperature = temperature

    def encode_table(self, table: Table) -> TableTarget:
        return TableTarget()

    def encode_task(self, table: Table) -> TaskTarget:
        codes, classes = table.labels
        if len(classes) < 2:
            raise DataError(
                f"{table.name}, column {table.schema.target!r}: the only class is {classes[0]!r}; there is nothing to "
                "tell apart: add labelled rows of at least one other class"
            )
        return TaskTarget(torch.from_numpy(codes), classes)

    def outputs(self, ways: int | None) -> int:
        if ways is None:
            raise UsageError("a head of fixed width needs the number of classes: set ways to a number")
        return ways

    def head(self, network: Network, kind: str, ways: int | None) -> Head:
        if choose("head", kind, ("prototype", "linear")) == "prototype":
            return PrototypeHead(network.out)
        if ways is None:
            raise UsageError(
                "head='linear' needs one number of classes (ways): where classes vary use the learner protomaml, or "
                "head='prototype'"
            )
        return LinearHead(network.out, ways)

    def loss(self, prediction: Tensor, rows: Rows) -> Tensor:
        """What training minimises: cross-entropy, at a temperature of 1."""
        return F.cross_entropy(prediction, target_of(rows))

    def metrics(self, prediction: Tensor, rows: Rows) -> dict[str, float]:
        right = prediction.argmax(-1) == target_of(rows)
        sure = self.probabilities(prediction).max(-1)
        return {
            "accuracy": right.to(torch.float64).mean().item(),
            "loss": self.loss(prediction / self.temperature, rows).item(),
            "accuracy_at_coverage_80": accuracy_at_coverage(sure, right.cpu().numpy(), 0.8),
        }

    def decode(self, compact: Tensor, names: Sequence[str]) -> np.ndarray:
        return np.array(names)[compact.argmax(-1).cpu().numpy()]

    def columns(self, compact: Tensor, names: Sequence[str], targets: Sequence[str]) -> dict[str, Any]:
        """`prediction`, its `probability`, and the probability of each class."""
        p = self.probabilities(compact)
        each = {f"p({name})": p[:, i] for i, name in enumerate(names)}
        return {"prediction": self.decode(compact, names), "probability": p.max(-1), **each}

    def value(self, compact: Tensor) -> np.ndarray:
        return self.probabilities(compact).argmax(-1)

    def prior_value(self, ways: int) -> float:
        return 1 / ways

    def familiarity(self, prediction: Tensor) -> dict[str, np.ndarray]:
        """Scores that are high for rows `[rows, ways]` of the task: metric -> `[rows]`.

        The highest score of a class (Hendrycks et al., Scaling Out-of-Distribution Detection, ICML 2022, §3: MaxLogit)
        is for a learner of distances how near the nearest class is, however near the next one; the highest probability
        is what `abstain` goes by (Hendrycks & Gimpel, A Baseline for Detecting Misclassified and OOD Examples, ICLR
        2017).
        """
        return {
            "open_set_auroc": prediction.cpu().numpy().max(-1),
            "open_set_auroc_confidence": self.probabilities(prediction).max(-1),
        }

    def aggregate(self, episodes: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        """Calibration error over all rows, and what it would be at a temperature of 1."""
        figures = {}
        for name, objective in (("calibration_error", self), ("calibration_error_raw", Classify())):
            counts = [calibration_counts(objective.probabilities(torch.from_numpy(p)), t) for p, t in episodes]
            figures[name] = resampled_calibration_error(np.stack(counts))
        return figures

    def probabilities(self, compact: Tensor) -> np.ndarray:
        """Probability of each class, float64 `[rows, ways]`."""
        return (compact.detach().cpu().double() / self.temperature).softmax(-1).numpy()

    def calibrated(self, episodes: Sequence[tuple[np.ndarray, np.ndarray]]) -> Self:
        """The same with the temperature that fits these validation episodes best."""
        return type(self)(fit_temperature(episodes))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name} | ({} if self.temperature == 1 else {"temperature": self.temperature})
