"""Average precision and F1 of several labels a row."""

from __future__ import annotations

import numpy as np

from omnishot.errors import DataError


def tag_scores(probabilities: np.ndarray, target: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """`mean_average_precision`, `f1_micro` and `f1_macro` of one task's rows.

    Average precision (scikit-learn's) and macro F1 are means over the labels that some row has; for other labels they
    are undefined. Micro F1 counts every label, so that a prediction of a label that no row has lowers it. Without any
    label in the target all three are 0.

    Args:
        probabilities: of each label in each row, `[rows, labels]`; a label is predicted at or above `threshold`.
        target: which labels each row has, bool `[rows, labels]`.
    """
    from sklearn.metrics import average_precision_score

    if probabilities.shape != target.shape or target.ndim != 2:
        raise DataError(f"Tags' probabilities are {probabilities.shape} but targets {target.shape}: [rows, labels].")
    target = target.astype(bool)
    probabilities, there = np.nan_to_num(probabilities), np.flatnonzero(target.any(0))
    if not len(there):
        return {"mean_average_precision": 0.0, "f1_micro": 0.0, "f1_macro": 0.0}
    predicted = probabilities >= threshold
    precisions = [average_precision_score(target[:, label], probabilities[:, label]) for label in there]
    return {
        "mean_average_precision": float(np.mean(precisions)),
        "f1_micro": float(f1(predicted.ravel(), target.ravel())),
        "f1_macro": float(f1(predicted[:, there], target[:, there]).mean()),
    }


def f1(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall along the first axis; 0 without a true positive."""
    return 2 * (predicted & target).sum(0) / np.maximum(predicted.sum(0) + target.sum(0), 1)
