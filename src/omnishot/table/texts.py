"""Cells that hold one text or a list of texts: sentences of a picture, answers to a question, tags."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


def texts_of(cell: Any) -> list[str]:
    """The texts of a clean cell; none of a missing one."""
    if isinstance(cell, list):
        return cell
    return [] if cell is None or cell is pd.NA or cell != cell else [str(cell)]


def listed(cell: Any) -> list[str] | None:
    """A cell that is a list of texts, or JSON of one as text files hold it, without blank ones; None if it is not."""
    if isinstance(cell, str):
        if not cell.lstrip().startswith("["):
            return None
        try:
            cell = json.loads(cell)
        except ValueError:
            return None
    if not isinstance(cell, list | tuple | np.ndarray) or (isinstance(cell, np.ndarray) and cell.ndim != 1):
        return None
    if not all(isinstance(text, str) or text is None for text in cell):
        return None
    return [text for text in cell if text is not None and text.strip()]


def as_lists(cells: Sequence[Any]) -> list[list[str] | None] | None:
    """A column's cells as lists of texts, None where missing or without a text; None if any is something else."""
    found: list[list[str] | None] = []
    for cell in cells:
        if cell is None or cell is pd.NA or (isinstance(cell, float) and cell != cell):
            found.append(None)
            continue
        texts = listed(cell)
        if texts is None:
            return None
        found.append(texts or None)
    return found if any(found) else None
