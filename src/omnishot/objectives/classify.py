"""Classes: cross-entropy, accuracy, calibration."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.objectives.base import Objective

BINS = 15


def calibration_counts(probabilities: np.ndarray, target: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Per confidence bin: rows, summed confidence, rows right. `[rows, ways]`, `[rows]` -> `[3, bins]`."""
    confidence = np.nan_to_num(probabilities.max(-1))  # a learner that diverged has none
    right = probabilities.argmax(-1) == target
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    weights = (np.ones_like(confidence), confidence, right.astype(float))
    return np.stack([np.bincount(bin_of, weights=w, minlength=bins) for w in weights])


def calibration_error(counts: np.ndarray) -> np.ndarray:
    """Expected calibration error from counts `[..., 3, bins]` (Guo et al. 2017, On Calibration, §2)."""
    rows, confidence, right = counts[..., 0, :], counts[..., 1, :], counts[..., 2, :]
    return np.abs(right - confidence).sum(-1) / np.maximum(rows.sum(-1), 1)


class Classify(Objective):
    """One class a row, out of the classes of the task's support set."""

    name = "classify"
    metric = "accuracy"
    higher_is_better = True

    def outputs(self, ways: int | None) -> int:
        assert ways is not None
        return ways

    def loss(self, prediction: Tensor, rows: Rows) -> Tensor:
        assert rows.target is not None
        return F.cross_entropy(prediction, rows.target)

    def metrics(self, prediction: Tensor, rows: Rows) -> dict[str, float]:
        assert rows.target is not None
        right = (prediction.argmax(-1) == rows.target).to(torch.float64).mean()
        return {"accuracy": right.item(), "loss": self.loss(prediction, rows).item()}

    def pooled(self, episodes: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        """Calibration error over all rows; its interval by resampling episodes (1,000 bootstrap samples)."""
        probabilities = (torch.from_numpy(p).double().softmax(-1).numpy() for p, _ in episodes)
        counts = np.stack([calibration_counts(p, t) for p, (_, t) in zip(probabilities, episodes, strict=True)])
        draws = np.random.default_rng(0).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=1000)
        resampled = calibration_error(np.tensordot(draws.astype(float), counts, axes=1))
        low, high = np.quantile(resampled, [0.025, 0.975])
        return {"calibration_error": (float(calibration_error(counts.sum(0))), float(high - low) / 2)}
