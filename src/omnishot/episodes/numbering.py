"""Numbering of what exists in one task only: labels, or words that the shared vocabulary lacks."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class TaskNumbering(Protocol):
    """Numbers the labels, or the new words of texts, anew in every task."""

    def of_tasks(self, support: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The targets of both halves of a meta-batch `[tasks, rows, …]`, numbered by each task's support rows."""
