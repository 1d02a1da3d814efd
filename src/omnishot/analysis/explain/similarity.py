"""Which inputs say the same: cosines between their embeddings."""

from __future__ import annotations

import numpy as np

#: The pairs of rows that are compared: a row with itself, with others of its class, with rows of other classes.
PAIRS = ("same row", "same class", "other classes")


def similarity(embeddings: np.ndarray, present: np.ndarray, classes: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Mean cosine of the embedding of input i of a row and of input j of a row, by which rows are paired.

    Args:
        embeddings: `[rows, inputs, dim]`.
        present: bool `[rows, inputs]`; absent cells take no part.
        classes: int `[rows]`, negative where unknown; None: rows are compared with themselves only.

    Returns:
        By name of PAIRS a symmetric `[inputs, inputs]`, NaN where there is no pair of cells.
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
    found = np.full((inputs, inputs), np.nan)
    for i in range(inputs):
        for j in range(i, inputs):
            both = chosen & present[:, i, None] & present[:, j]
            if both.any():
                found[i, j] = found[j, i] = (unit[:, i] @ unit[:, j].T)[both].mean()
    return found
