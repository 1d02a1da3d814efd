"""Finding every bad cell of a table before anything is learned from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from omnishot.table.cells import missing, open_cell
from omnishot.table.describing import BadCell, Report, describe
from omnishot.table.parallel import in_chunks
from omnishot.table.table import Table, require_target
from omnishot.table.targets import NUMBER, TEXT
from omnishot.table.texts import text_problem

__all__ = ["BadCell", "Report", "check", "describe"]

#: Rows of plain values that are decoded at a time: what they become takes more memory than they do.
SLAB = 1 << 16


def check(table: Table, decoders: Mapping[str, Any], *, label: str | None = None) -> list[BadCell]:
    """Every bad cell in row order: inputs that do not decode, and rows without a target or group.

    Args:
        decoders: by input name (see `Schema.inputs`) what decodes it: an object with `media`, and `decode` for
            one cell or `decode_columns` for columns (see `modality.base`).
        label: shows progress on stderr.
    """
    bad: list[tuple[int, str, str]] = _unlabelled(table)
    for name, (_, columns) in table.schema.inputs().items():
        if name in decoders:
            decoder = decoders[name]
            bad += (_media if decoder.media else _values)(table, columns, decoder, label)
    place = {name: i for i, name in enumerate(table.frame.columns)}
    bad.sort(key=lambda cell: (cell[0], place[cell[1]]))
    return [BadCell(row, column, reason, table.row_number(row)) for row, column, reason in bad]


def _media(table: Table, columns: tuple[str, ...], decoder: Any, label: str | None) -> list[tuple[int, str, str]]:
    (name,) = columns
    cells = table.frame[name].to_numpy(dtype=object)

    def work(chunk: range) -> list[tuple[int, str, str]]:
        bad = []
        for i in chunk:
            if not missing(cells[i]):
                try:
                    decoder.decode(open_cell(cells[i], table.folder))
                except ValueError as problem:
                    bad.append((i, name, str(problem)))
        return bad

    parts = in_chunks(work, len(table), label=label and f"{label}: {name}")
    return [problem for part in parts for problem in part]


def _values(table: Table, columns: tuple[str, ...], decoder: Any, label: str | None) -> list[tuple[int, str, str]]:
    problems = []
    for start in range(0, len(table), SLAB):
        slab = table.frame.iloc[start : start + SLAB]
        _, bad = decoder.decode_columns({name: slab[name].to_numpy(dtype=object) for name in columns})
        problems += [(start + row, column, reason) for row, column, reason in bad]
    return problems


def _unlabelled(table: Table) -> list[tuple[int, str, str]]:
    bad = []
    schema = table.schema
    for name, what in (*((target, "target") for target in schema.targets), (schema.group, "group")):
        if name is not None:
            gaps = np.flatnonzero(table.frame[name].isna())
            bad += [(int(row), name, f"the {what} is missing") for row in gaps]
    if schema.target_form == NUMBER:
        for target in schema.targets:
            column = table.frame[target]
            numbers = pd.to_numeric(column, errors="coerce")
            wrong = np.flatnonzero(column.notna() & ~np.isfinite(numbers))
            bad += [(int(row), target, f"{column[row]!r} is no finite number") for row in wrong]
    return bad + bad_texts(table)


def bad_texts(table: Table) -> list[tuple[int, str, str]]:
    """Present targets without a usable text as (row, column, reason), where the objective learns texts."""
    if table.schema.target_form != TEXT:
        return []
    name = require_target(table)
    problems = ((i, text_problem(cell)) for i, cell in enumerate(table.frame[name]) if not missing(cell))
    return [(i, name, problem) for i, problem in problems if problem]
