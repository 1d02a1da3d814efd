"""The results of a comparison: cells ranked by their main figure, with ties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from omnishot.analysis.comparison.cell import Cell
from omnishot.core.storage import FORMAT, read_json
from omnishot.errors import DataError
from omnishot.evaluation.figure import Figure
from omnishot.evaluation.format import duration, interval, protocol
from omnishot.metrics.metric import metric_of
from omnishot.training.budget import Budget

NAME = "comparison.json"
#: A training is reported as over budget beyond this multiple of it.
OVER = 1.2


def overlap(one: Figure, other: Figure) -> bool:
    """Whether the 95% intervals of two figures have a point in common."""
    return abs(one.mean - other.mean) <= one.ci95 + other.ci95


def ranks(figures: Sequence[Figure]) -> list[int]:
    """The rank of each figure; the figures are given best first.

    A figure whose interval overlaps that of the first figure of a rank is tied with it, with the best one if there are
    several; any other figure is the first of a new rank, its place in the order. So rank 1 holds the best figure and
    all that overlap it, and the first figures of two ranks never overlap.
    """
    firsts: list[int] = []
    result = []
    for place, figure in enumerate(figures):
        tied = next((first for first in firsts if overlap(figures[first], figure)), place)
        firsts += [place] if tied == place else []
        result.append(1 + tied)
    return result


@dataclass(frozen=True)
class Comparison:
    """Learners and fusions compared on the same test tasks under one budget.

    Args:
        folder: holds the runs, `comparison.json`, `comparison.html` and the plot.
        budget: of every cell.
        settings: table, grid and options as plain values, defaults resolved.
        cells: in the order of the grid.
        remarks: notes for the user.
    """

    folder: Path
    budget: Budget
    settings: Mapping[str, Any]
    cells: tuple[Cell, ...]
    remarks: tuple[str, ...] = ()

    @cached_property
    def ranked(self) -> list[tuple[int, Cell]]:
        """The cells that have figures, each with its rank, best first."""
        cells = [cell for cell in self.cells if cell.figures]
        if not cells:
            return []
        sign = -1 if metric_of(cells[0].figures[0].metric).higher_is_better else 1
        cells.sort(key=lambda cell: (sign * cell.figures[0].mean, cell.name))
        return list(zip(ranks([cell.figures[0] for cell in cells]), cells, strict=True))

    def label(self, cell: Cell) -> str:
        """The name of a cell in tables and plots, with its fusion where there are several."""
        several = len({each.fusion for each in self.cells}) > 1
        return f"{cell.learner} + {cell.fusion}" if several else cell.learner

    @property
    def failed(self) -> list[Cell]:
        """The cells that could not be trained or evaluated."""
        return [cell for cell in self.cells if cell.error]

    @property
    def figures(self) -> list[Figure]:
        """All figures, those of the best cell first."""
        return [figure for _, cell in self.ranked for figure in cell.figures]

    @property
    def table(self) -> pd.DataFrame:
        """One row per cell, best first and failed cells last; `tied` where several cells share the rank."""
        all_ranks = [rank for rank, _ in self.ranked]
        rows = [
            {"rank": rank, "tied": all_ranks.count(rank) > 1, **_row(cell), "error": None} for rank, cell in self.ranked
        ]
        rows += [{"rank": None, "tied": False, **_row(cell), "error": cell.error} for cell in self.failed]
        table = pd.DataFrame(rows)
        counts = {name: "Int64" for name in ("rank", "steps", "parameters") if name in table}
        return table.astype(counts)

    @property
    def notes(self) -> list[str]:
        """The notes below the table: the protocol, remarks, cells over budget, and why cells failed."""
        notes = list(dict.fromkeys(protocol(cell.figures[0]) for _, cell in self.ranked))
        if notes:
            notes.append("=: a tie, the interval overlaps that of the first cell of the rank")
            notes.append("s/task: seconds to sample, learn and predict a test task")
        notes += self.remarks
        if self.budget.minutes:
            limit = 60 * self.budget.minutes
            late = [
                f"{self.label(c)} ({duration(c.seconds or 0)})" for c in self.cells if (c.seconds or 0) > OVER * limit
            ]
            if late:
                notes.append(f"took over {OVER - 1:.0%} more than the budget of {duration(limit)}: {', '.join(late)}")
        errors = dict.fromkeys(cell.error for cell in self.failed)
        notes += [
            f"failed: {', '.join(self.label(c) for c in self.failed if c.error == error)}: {error}" for error in errors
        ]
        return notes

    def to_json(self) -> dict[str, Any]:
        """The content of `comparison.json`: budget, settings, and the cells, best first, with their figures."""
        ranked = [{"rank": rank, **cell.to_json()} for rank, cell in self.ranked]
        others = [{"rank": None, **cell.to_json()} for cell in self.cells if not cell.figures]
        return {
            "format": FORMAT,
            "budget": vars(self.budget),
            "settings": dict(self.settings),
            "remarks": list(self.remarks),
            "cells": ranked + others,
        }

    @classmethod
    def load(cls, folder: str | Path) -> Comparison:
        """Load a comparison, finished or not.

        Raises:
            DataError: if the folder holds none, or its file is damaged or of a newer format.
        """
        folder = Path(folder)
        if not (folder / NAME).exists():
            raise DataError(f"{folder} holds no comparison: it lacks {NAME}")
        saved = read_json(folder / NAME)
        try:
            if saved["format"] > FORMAT:
                raise DataError(f"{folder / NAME} has format {saved['format']}: upgrade Omnishot")
            cells = tuple(map(Cell.from_json, saved["cells"]))
            return cls(folder, Budget(**saved["budget"]), saved["settings"], cells, tuple(saved["remarks"]))
        except (KeyError, TypeError) as error:
            raise DataError(f"{folder / NAME} was not written by Omnishot: {error!r}") from None

    def __str__(self) -> str:
        """The table and its notes as text."""
        lines = _aligned(*self.lines())
        return "\n".join([f"{self.budget}, best first", "", *lines, "", *self.notes])

    def lines(self) -> tuple[list[str], list[list[str]]]:
        """The header and the rows of the table, as text."""
        fused = any(cell.fusion for cell in self.cells)
        all_ranks = [rank for rank, _ in self.ranked]
        metric = all_ranks and metric_of(self.figures[0].metric).label.lower()
        head = ["rank", "learner", *["fusion"] * fused, metric or "figure", "steps", "trained", "s/task", "parameters"]
        rows = [
            [f"={rank}" if all_ranks.count(rank) > 1 else str(rank), *_cell_texts(cell, fused)]
            for rank, cell in self.ranked
        ]
        return head, rows + [["–", *_cell_texts(cell, fused)] for cell in self.failed]


def _row(cell: Cell) -> dict[str, Any]:
    first = cell.figures[0] if cell.figures else None
    return {
        "learner": cell.learner,
        "fusion": cell.fusion,
        "metric": first and first.metric,
        "mean": first and first.mean,
        "ci95": first and first.ci95,
        "steps": cell.steps,
        "seconds": cell.seconds,
        "planned_seconds": cell.planned_seconds,
        "task_seconds": cell.task_seconds,
        "parameters": cell.parameters,
    }


def _cell_texts(cell: Cell, fused: bool) -> list[str]:
    names = [cell.learner, *[cell.fusion or "–"] * fused]
    if not cell.figures or cell.steps is None:
        return [*names, "failed", "–", "–", "–", "–"]
    trained = duration(cell.seconds) if cell.steps and cell.seconds is not None else "–"
    return [*names, interval(cell.figures[0]), f"{cell.steps:,}", trained, f"{cell.task_seconds:.3g}",
            f"{cell.parameters:,}"]  # fmt: skip


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with aligned columns: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    left = [name in ("rank", "learner", "fusion") for name in head]

    def line(row: Sequence[str]) -> str:
        cells = zip(row, widths, left, strict=True)
        return "  ".join(cell.ljust(width) if names else cell.rjust(width) for cell, width, names in cells).rstrip()

    return [line(row) for row in (head, *rows)]
