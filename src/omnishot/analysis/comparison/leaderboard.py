"""Learners in order: what a comparison found, ranked, ties said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from omnishot.core.storage import FORMAT, read_json
from omnishot.errors import DataError
from omnishot.evaluation.episodes import Figure
from omnishot.evaluation.format import duration, interval, metric_of, protocol
from omnishot.training.budget import Budget

NAME = "comparison.json"
OVER = 1.2  # times the budget, beyond which a training is said to have overdrawn it


def overlap(one: Figure, other: Figure) -> bool:
    """Whether the 95% intervals of two figures have a point in common."""
    return abs(one.mean - other.mean) <= one.ci95 + other.ci95


def ranks(figures: Sequence[Figure]) -> list[int]:
    """The rank of each of some figures, best first: its place, or in a tie that of the best figure tied with.

    A figure is tied with the first of a rank if their intervals overlap, with the better one if there are two. So rank
    1 is the best and all that overlap it, and no two that are first of a rank overlap.
    """
    firsts: list[int] = []
    found = []
    for place, figure in enumerate(figures):
        tied = next((first for first in firsts if overlap(figures[first], figure)), place)
        firsts += [place] if tied == place else []
        found.append(1 + tied)
    return found


@dataclass(frozen=True)
class Cell:
    """One learner with one fusion.

    Args:
        fusion: None where a single input leaves nothing to fuse.
        figures: the main one first; none if it failed.
        error: why it failed.
        steps: of meta-training, as taken.
        planned_seconds: of meta-training, as measured beforehand for a budget of time.
        seconds: of meta-training, as taken, validation counted in.
        parameters: how many numbers are learned across tasks.
    """

    learner: str
    fusion: str | None
    figures: tuple[Figure, ...] = ()
    error: str | None = None
    steps: int | None = None
    planned_seconds: float | None = None
    seconds: float | None = None
    parameters: int | None = None

    @property
    def name(self) -> str:
        """Of its run folder."""
        return self.learner if self.fusion is None else f"{self.learner}+{self.fusion}"

    @property
    def task_seconds(self) -> float | None:
        """Seconds to draw, learn and answer one test task."""
        return self.figures[0].seconds / self.figures[0].episodes if self.figures else None

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {**vars(self), "figures": [f.to_json() for f in self.figures], "task_seconds": self.task_seconds}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Cell:
        """The inverse of `to_json`; what else stands in the record is left aside."""
        own = {name: record[name] for name in cls.__dataclass_fields__}
        return cls(**own | {"figures": tuple(map(Figure.from_json, record["figures"]))})


@dataclass(frozen=True)
class Comparison:
    """Learners and fusions compared on the same test tasks under one budget.

    Args:
        folder: that holds the runs, `comparison.json`, `comparison.html` and the plot.
        budget: of every cell.
        asked: all that was asked for, resolved.
        cells: in the order asked for.
        remarks: what people are to know besides.
    """

    folder: Path
    budget: Budget
    asked: Mapping[str, Any]
    cells: tuple[Cell, ...]
    remarks: tuple[str, ...] = ()

    @cached_property
    def ranked(self) -> list[tuple[int, Cell]]:
        """The cells that have figures with their ranks, best first."""
        cells = [cell for cell in self.cells if cell.figures]
        if not cells:
            return []
        sign = -1 if metric_of(cells[0].figures[0].metric).higher_is_better else 1
        cells.sort(key=lambda cell: (sign * cell.figures[0].mean, cell.name))
        return list(zip(ranks([cell.figures[0] for cell in cells]), cells, strict=True))

    def label(self, cell: Cell) -> str:
        """What people call a cell: its fusion is said where there are several."""
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
        """A row a cell, best first and what failed last, in plain values; `tied`: others share the rank."""
        held = [rank for rank, _ in self.ranked]
        rows = [{"rank": rank, "tied": held.count(rank) > 1, **_row(cell), "error": None} for rank, cell in self.ranked]
        rows += [{"rank": None, "tied": False, **_row(cell), "error": cell.error} for cell in self.failed]
        table = pd.DataFrame(rows)
        counts = {name: "Int64" for name in ("rank", "steps", "parameters") if name in table}
        return table.astype(counts)

    @property
    def notes(self) -> list[str]:
        """What stands beneath the table: the protocol, remarks, budgets overdrawn, and why cells failed."""
        found = list(dict.fromkeys(protocol(cell.figures[0]) for _, cell in self.ranked))
        if found:
            found.append("=: a tie, the interval overlaps that of the first of the rank")
            found.append("s/task: seconds to draw, learn and answer a test task")
        found += self.remarks
        if self.budget.minutes:
            limit = 60 * self.budget.minutes
            late = [
                f"{self.label(c)} ({duration(c.seconds or 0)})" for c in self.cells if (c.seconds or 0) > OVER * limit
            ]
            if late:
                found.append(f"took over {OVER - 1:.0%} more than the budget of {duration(limit)}: {', '.join(late)}")
        reasons = dict.fromkeys(cell.error for cell in self.failed)
        found += [
            f"failed: {', '.join(self.label(c) for c in self.failed if c.error == why)}: {why}" for why in reasons
        ]
        return found

    def to_json(self) -> dict[str, Any]:
        """What `comparison.json` holds: the budget, and the cells, best first, with their figures as records."""
        ranked = [{"rank": rank, **cell.to_json()} for rank, cell in self.ranked]
        others = [{"rank": None, **cell.to_json()} for cell in self.cells if not cell.figures]
        return {
            "format": FORMAT,
            "budget": vars(self.budget),
            "asked": dict(self.asked),
            "remarks": list(self.remarks),
            "cells": ranked + others,
        }

    @classmethod
    def load(cls, folder: str | Path) -> Comparison:
        """A comparison, also one that is not finished.

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
            return cls(folder, Budget(**saved["budget"]), saved["asked"], cells, tuple(saved["remarks"]))
        except (KeyError, TypeError) as error:
            raise DataError(f"{folder / NAME} was not written by Omnishot: {error!r}") from None

    def __str__(self) -> str:
        """The table as people read it."""
        lines = _aligned(*self.lines())
        return "\n".join([f"{self.budget}, best first", "", *lines, "", *self.notes])

    def lines(self) -> tuple[list[str], list[list[str]]]:
        """The head and the rows of the table, as text."""
        fused = any(cell.fusion for cell in self.cells)
        held = [rank for rank, _ in self.ranked]
        metric = held and metric_of(self.figures[0].metric).label.lower()
        head = ["rank", "learner", *["fusion"] * fused, metric or "figure", "steps", "trained", "s/task", "parameters"]
        rows = [[f"={rank}" if held.count(rank) > 1 else str(rank), *_said(cell, fused)] for rank, cell in self.ranked]
        return head, rows + [["–", *_said(cell, fused)] for cell in self.failed]


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


def _said(cell: Cell, fused: bool) -> list[str]:
    names = [cell.learner, *[cell.fusion or "–"] * fused]
    if not cell.figures or cell.steps is None:
        return [*names, "failed", "–", "–", "–", "–"]
    trained = duration(cell.seconds) if cell.steps and cell.seconds is not None else "–"
    return [*names, interval(cell.figures[0]), f"{cell.steps:,}", trained, f"{cell.task_seconds:.3g}",
            f"{cell.parameters:,}"]  # fmt: skip


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of text; names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    left = [name in ("rank", "learner", "fusion") for name in head]

    def line(row: Sequence[str]) -> str:
        cells = zip(row, widths, left, strict=True)
        return "  ".join(cell.ljust(width) if names else cell.rjust(width) for cell, width, names in cells).rstrip()

    return [line(row) for row in (head, *rows)]
