"""Similarity of the inputs: mean cosines between their embeddings."""

from __future__ import annotations

import numpy as np

#: Kinds of pairs of rows: a row with itself, two rows of one class, two rows of different classes.
PAIRS = ("same row", "same class", "other classes")


def similarity(embeddings: np.ndarray, present: np.ndarray, classes: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Mean cosine between the embedding of input i of one row and that of input j of another, by kind of pair.

    Args:
        embeddings: `[rows, inputs, dim]`.
        present: bool `[rows, inputs]`; absent cells are left out.
        classes: int `[rows]`, negative where unknown; None: only pairs of a row with itself.

    Returns:
        A symmetric `[inputs, inputs]` by kind of pair (PAIRS), NaN where there is no pair of present cells.
    """
    x = np.asarray(embeddings, np.float64)
    unit = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    same_row = np.eye(len(x), dtype=bool)
    pairs = {PAIRS[0]: same_row}
    if classes is not None:
        known = (classes >= 0)[:, None] & (classes >= 0)
        alike = classes[:, None] == classes
        pairs |= {PAIRS[1]: known & alike & ~same_row, PAIRS[2]: known & ~alike}
    return {name: _mean_cosine(unit, present, chosen) for name, chosen in pairs.items()}


def _mean_cosine(unit: np.ndarray, present: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    inputs = unit.shape[1]
    cosines = np.full((inputs, inputs), np.nan)
    for i in range(inputs):
        for j in range(i, inputs):
            both = chosen & present[:, i, None] & present[:, j]
            if both.any():
                cosines[i, j] = cosines[j, i] = (unit[:, i] @ unit[:, j].T)[both].mean()
    return cosines
