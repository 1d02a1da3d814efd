"""How tasks number what is their own: labels, or words that the shared vocabulary lacks."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class TaskNumbering(Protocol):
    """Numbers what is a task's own (labels, words of texts) anew in every task."""

    def of_tasks(self, support: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The targets of both halves of a meta-batch `[tasks, rows, …]`, numbered by each task's support rows."""
