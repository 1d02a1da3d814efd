"""Cells that hold one text or a list of texts: sentences of a picture, answers to a question, tags."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from omnishot.table.cells import missing

SAMPLE = 1000


def texts_of(cell: Any) -> list[str]:
    """The texts of a clean cell that are not blank; none of a missing one. A number is its digits, 3.0 being 3."""
    if missing(cell):
        return []
    texts = listed(cell)
    if texts is None:
        whole = isinstance(cell, float | np.floating) and float(cell).is_integer()
        texts = [str(int(cell)) if whole else str(cell)]
    return [text for text in texts if text.strip()]


def text_problem(cell: Any) -> str | None:
    """Why a present cell gives no text to learn from; None if it does."""
    if listed(cell) is None and not isinstance(cell, str | int | float | np.generic):
        return f"a text or a list of texts is needed, not {type(cell).__name__}"
    texts = texts_of(cell)
    if not texts:
        return "it holds no text that is not blank"
    if any(text.lstrip().startswith(('["', "['")) for text in texts):
        return f'{texts[0][:40]!r} is no list of texts: write it as JSON, ["a text", "another"]'
    return None


def listed(cell: Any) -> list[str] | None:
    """A cell that is a list of texts, or JSON of one as text files hold it, without blank ones; None if it is not."""
    if isinstance(cell, str):
        if not cell.lstrip().startswith("["):
            return None
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return None
    if not isinstance(cell, list | tuple | np.ndarray) or (isinstance(cell, np.ndarray) and cell.ndim != 1):
        return None
    if not all(isinstance(text, str) or text is None for text in cell):
        return None
    return [str(text) for text in cell if text is not None and text.strip()]


def as_lists(cells: Sequence[Any]) -> list[list[str] | None] | None:
    """A column's cells as lists of texts, None where missing or without a text.

    None if it is no column of lists: if a cell is neither a list of texts nor a text, or fewer than half are lists.
    """
    some = cells[:: max(1, len(cells) // SAMPLE)]  # most columns are not, which few cells show
    if not any(not missing(cell) and listed(cell) is not None for cell in some):
        return None
    lists: list[list[str] | None] = []
    count = present = 0
    for cell in cells:
        if missing(cell):
            lists.append(None)
            continue
        texts = listed(cell)
        if texts is None and not isinstance(cell, str):
            return None
        present, count = present + 1, count + (texts is not None)
        lists.append((texts if texts is not None else texts_of(cell)) or None)
    return lists if 0 < present <= 2 * count else None
