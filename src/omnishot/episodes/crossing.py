"""Tasks across inputs: support rows that have only some of the inputs, query rows only others."""

from __future__ import annotations

import numpy as np


def crossed(tasks: int, inputs: int, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Which inputs the support and the query rows of each task may keep, as bool `[2, tasks, inputs]`.

    With probability `fraction` a task is a crossed one, whose support rows have one input only and whose query rows
    another; both are drawn at random. Every other task keeps all inputs.
    """
    order = rng.random((tasks, inputs)).argsort(1)
    plain = rng.random(tasks) >= fraction
    alone = np.stack([order[:, :1], order[:, 1:2]]) == np.arange(inputs)
    return alone | plain[:, None]


def keep(present: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Take away all cells except those of the `kept` inputs.

    Args:
        present: bool `[tasks, rows, inputs]`.
        kept: bool `[tasks, inputs]`.

    A row without a cell of a kept input is left unchanged, so that no row becomes empty.
    """
    there = present & kept[:, None]
    return np.where(there.any(-1, keepdims=True), there, present)
