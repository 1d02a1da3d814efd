"""Taking cells away: in training (modality dropout) and to measure the effect of missing cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

#: Stands for all inputs together.
ALL = "*"


def remove(
    present: np.ndarray, names: Sequence[str], missing: Mapping[str, float], rng: np.random.Generator
) -> np.ndarray:
    """Take an exact fraction of the present cells away, at random.

    Args:
        present: bool `[..., inputs]`.
        names: the inputs' names, in order.
        missing: fraction 0…1 of the present cells to take away, by input name; under `*` the fraction of the cells of
            all inputs together.

    Where there are several inputs, every row keeps at least one cell: fewer cells are taken away if necessary.
    """
    shape = present.shape
    present = present.reshape(-1, shape[-1]).copy()
    for name, fraction in missing.items():
        columns = np.arange(len(names)) if name == ALL else np.array([list(names).index(name)])
        rows, which = np.nonzero(present[:, columns])
        cells = np.stack([rows, columns[which]], 1)
        count = round(fraction * len(cells))
        cells = rng.permutation(cells)
        if len(names) > 1:
            cells = cells[_spare(cells[:, 0], present)]
        gone = cells[:count]
        present[gone[:, 0], gone[:, 1]] = False
    return present.reshape(shape)


def _spare(rows: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Which candidate cells, taken in this order, can be taken away without emptying their row; bool `[candidates]`."""
    order = np.argsort(rows, kind="stable")
    ranked = rows[order]
    rank = np.arange(len(rows)) - np.searchsorted(ranked, ranked)  # 0 for a row's first candidate, then 1, …
    allowed = np.empty(len(rows), dtype=bool)
    allowed[order] = rank < present.sum(1)[ranked] - 1
    return allowed


def drop(present: np.ndarray, rate: float | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Modality dropout: each cell is dropped with probability `rate` (one, or `[inputs]`), but a row keeps one cell.

    Paper: Neverova et al., ModDrop, TPAMI 2016.
    """
    luck = np.where(present, rng.random(present.shape), -1.0)
    kept = present & (luck >= rate)
    best = luck == luck.max(-1, keepdims=True)
    return np.where(kept.any(-1, keepdims=True), kept, present & best)
