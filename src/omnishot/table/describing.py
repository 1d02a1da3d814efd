"""A summary of a table (columns, classes, splits, bad cells), for people and programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from omnishot.table.cells import media_kind
from omnishot.table.frames import is_text
from omnishot.table.splits import PARTS
from omnishot.table.table import Table, cell_name
from omnishot.table.targets import CLASS

EXAMPLE_LENGTH = 32


@dataclass(frozen=True)
class BadCell:
    """A cell that cannot be used: index of the row, column, reason, and the row number that people know."""

    row: int
    column: str
    reason: str
    number: int | None = None

    def to_json(self) -> dict[str, Any]:
        """`row` is the row number that people know."""
        row = self.row if self.number is None else self.number
        return {"row": row, "column": self.column, "reason": self.reason}

    def __str__(self) -> str:
        cell = self.to_json()
        return f"row {cell['row']}, column {cell['column']!r}: {cell['reason']}"


@dataclass(frozen=True)
class ColumnReport:
    """One column: present cells, distinct ones among them (None for bytes and arrays), three examples."""

    name: str
    role: str
    modality: str | None
    present: int
    distinct: int | None
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """A summary of a table.

    Args:
        classes: how many, and the rows of the smallest, the median and the largest; None if there is nothing
            to classify.
        splits: rows, and classes or groups, by part; None if not requested.
        problems: other reasons why nothing can be learned from the table.
    """

    name: str
    rows: int
    objective: str | None
    columns: tuple[ColumnReport, ...]
    classes: dict[str, int | float] | None
    splits: dict[str, dict[str, int]] | None
    bad: tuple[BadCell, ...]
    problems: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.bad and not self.problems

    def to_json(self) -> dict[str, Any]:
        """A tree of plain values."""
        return dataclasses.asdict(self) | {"bad": [cell.to_json() for cell in self.bad]}

    def lines(self) -> list[str]:
        """The report as text, one line a fact."""
        what = f", to {self.objective}" if self.objective else ""
        lines = [f"{self.name}: {self.rows:,} rows, {len(self.columns)} columns{what}", *self._column_lines()]
        if self.classes:
            low, middle, high = (self.classes[key] for key in ("min", "median", "max"))
            lines.append(f"classes: {self.classes['count']:,}; rows per class {low:,} to {high:,}, median {middle:,}")
        for part, counts in (self.splits or {}).items():
            lines.append(f"{part}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
        lines += [f"bad cell: {cell}" for cell in self.bad]
        lines += [f"problem: {problem}" for problem in self.problems]
        return [*lines, f"{len(self.bad):,} bad {'cell' if len(self.bad) == 1 else 'cells'}"]

    def _column_lines(self) -> list[str]:
        rows = [("column", "is", "present", "distinct", "examples")]
        for column in self.columns:
            distinct = "" if column.distinct is None else f"{column.distinct:,}"
            kind = column.modality or column.role
            rows.append((column.name, kind, f"{column.present:,}", distinct, " | ".join(column.examples)))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        return ["  " + "  ".join([*(row[i].ljust(widths[i]) for i in range(4)), row[4]]).rstrip() for row in rows]


def describe(
    table: Table, splits: np.ndarray | None = None, bad: Sequence[BadCell] = (), problems: Sequence[str] = ()
) -> Report:
    """Summarise a table; `splits` as of `splits.assign`, `bad` as of `checking.check`."""
    columns = tuple(_column(table.frame[c.name], c.name, c.role, c.modality) for c in table.schema.columns)
    classes = None
    if table.classes:
        codes, names = table.labels
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        classes = {"count": len(names), "min": int(counts.min()), "max": int(counts.max())}
        classes["median"] = float(np.median(counts))  # type: ignore[assignment]
    parts = None if splits is None else {part: _part(table, splits == part) for part in PARTS}
    facts = (table.name, len(table), table.schema.objective, columns, classes, parts)
    return Report(*facts, tuple(bad), tuple(problems))  # type: ignore[arg-type]


def _part(table: Table, rows: np.ndarray) -> dict[str, int]:
    counts = {"rows": int(rows.sum())}
    if table.schema.target_form == CLASS:
        counts["classes"] = len(np.setdiff1d(table.labels[0][rows], [-1]))
    if table.schema.group is not None:
        counts["groups"] = len(np.setdiff1d(table.groups[0][rows], [-1]))
    return counts


def _column(column: pd.Series, name: str, role: str, modality: str | None) -> ColumnReport:
    present = column.dropna()
    plain = column.dtype != object or is_text(column)
    values = present.unique() if plain else present
    examples = tuple(example(value) for value in values[:3])
    return ColumnReport(name, role, modality, len(present), len(values) if plain else None, examples)


def example(cell: Any) -> str:
    """A short text for a present cell; of a list of texts the first, and how many more there are."""
    if isinstance(cell, list) and cell and all(isinstance(text, str) for text in cell):
        more = f" (and {len(cell) - 1} more)" if len(cell) > 1 else ""
        return example(cell[0]) + more
    if isinstance(cell, bytes):
        return f"<{media_kind(cell) or 'unknown'}, {len(cell):,} bytes>"
    if isinstance(cell, np.ndarray | list | tuple):
        return f"<array {'×'.join(map(str, np.shape(cell)))}>" if not _ragged(cell) else "<ragged list>"
    text = " ".join(cell_name(cell).split())
    return text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 1] + "…"


def _ragged(cell: Any) -> bool:
    try:
        np.shape(cell)
    except ValueError:
        return True
    return False
