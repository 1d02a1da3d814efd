"""Classes: cross-entropy, accuracy, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError, choose
from omnishot.nn.heads import Head, LinearHead, PrototypeHead
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective
from omnishot.objectives.calibration import (
    accuracy_at_coverage,
    calibration_counts,
    fit_temperature,
    resampled_calibration_error,
)


class Classify(Objective):
    """One class a row, out of the classes of the task's support set.

    Args:
        temperature: what scores are divided by before they become probabilities; which class is the likeliest does
            not depend on it, and training knows nothing of it. Meta-training ends by fitting it to the validation
            tasks (`calibrated`). For tasks of another number of classes or support rows it is right by approximation
            only: how sure a learner is changes with both.
    """

    name = "classify"
    gives = "a class"
    metric = "accuracy"
    fitted = ("temperature",)

    def __init__(self, temperature: float = 1.0):
        self.temperature = temperature

    def outputs(self, ways: int | None) -> int:
        assert ways is not None
        return ways

    def head(self, network: Network, kind: str, ways: int | None) -> Head:
        if choose("head", kind, ("prototype", "fixed")) == "prototype":
            return PrototypeHead(network.out)
        if ways is None:
            raise UsageError("head='fixed' needs the number of classes: set ways to a number")
        return LinearHead(network.out, ways)

    def loss(self, prediction: Tensor, rows: Rows) -> Tensor:
        """What training minimises: cross-entropy, at a temperature of 1."""
        assert rows.target is not None
        return F.cross_entropy(prediction, rows.target)

    def metrics(self, prediction: Tensor, rows: Rows) -> dict[str, float]:
        assert rows.target is not None
        right = prediction.argmax(-1) == rows.target
        sure = self.probabilities(prediction).max(-1)
        return {
            "accuracy": right.to(torch.float64).mean().item(),
            "loss": self.loss(prediction / self.temperature, rows).item(),
            "accuracy_at_coverage_80": accuracy_at_coverage(sure, right.cpu().numpy(), 0.8),
        }

    def answers(self, kept: Tensor, names: Sequence[str]) -> np.ndarray:
        return np.array(names)[kept.argmax(-1).cpu().numpy()]

    def aggregate(self, episodes: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        """Calibration error over all rows, and what it would be at a temperature of 1."""
        found = {}
        for name, objective in (("calibration_error", self), ("calibration_error_raw", Classify())):
            counts = [calibration_counts(objective.probabilities(torch.from_numpy(p)), t) for p, t in episodes]
            found[name] = resampled_calibration_error(np.stack(counts))
        return found

    def probabilities(self, prediction: Tensor) -> np.ndarray:
        """Probability of each class, float64 `[rows, ways]`."""
        return (prediction.detach().cpu().double() / self.temperature).softmax(-1).numpy()

    def calibrated(self, episodes: Sequence[tuple[np.ndarray, np.ndarray]]) -> Classify:
        """The same with the temperature that fits these validation episodes best."""
        return Classify(fit_temperature(episodes))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name} | ({} if self.temperature == 1 else {"temperature": self.temperature})
