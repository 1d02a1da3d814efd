"""Figures of runs whose inputs get worse, by what was done to which input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from omnishot.episodes.attack import ATTACKS
from omnishot.evaluation.figure import Figure
from omnishot.evaluation.format import interval, protocol

CLEAN, NOISE, ALL = "as it is", "noise", "all inputs"
#: What is done at a level or within a radius, so that it makes a curve.
AGAINST = (NOISE, *ATTACKS)


@dataclass(frozen=True)
class Point:
    """A run's figure with something done to an input: `what` at level or radius `at` (0 for a failure)."""

    run: str
    what: str
    input: str
    at: float
    figure: Figure


@dataclass(frozen=True)
class Robustness:
    """Figures of runs on the same tasks, under everything that was done to their inputs."""

    points: tuple[Point, ...]

    @cached_property
    def runs(self) -> list[str]:
        """Their names, in order."""
        return list(dict.fromkeys(m.run for m in self.points))

    @property
    def figures(self) -> list[Figure]:
        """All figures."""
        return [m.figure for m in self.points]

    def clean(self, run: str) -> Figure:
        """A run's figure with its inputs as they are."""
        return next(m.figure for m in self.points if (m.run, m.what) == (run, CLEAN))

    @property
    def curves(self) -> dict[tuple[str, str], dict[str, list[Point]]]:
        """By what was done and to which input, for every run: from what it is without, on."""
        curves: dict[tuple[str, str], dict[str, list[Point]]] = {}
        for m in self.points:
            if m.what in AGAINST:
                start = [Point(m.run, m.what, m.input, 0.0, self.clean(m.run))]
                curves.setdefault((m.what, m.input), {}).setdefault(m.run, start).append(m)
        return curves

    @property
    def failures(self) -> dict[str, list[Figure]]:
        """Of every run, its figure without and with each failure."""
        failed = [m for m in self.points if m.what not in (*AGAINST, CLEAN)]
        return {run: [self.clean(run), *(m.figure for m in failed if m.run == run)] for run in self.runs if failed}

    def to_json(self) -> list[dict[str, Any]]:
        """The figures as records, each with what was done."""
        return [{**vars(m), "figure": m.figure.to_json()} for m in self.points]

    @classmethod
    def from_json(cls, records: Sequence[Mapping[str, Any]]) -> Robustness:
        """The inverse of `to_json`."""
        return cls(tuple(Point(**{**r, "figure": Figure.from_json(r["figure"])}) for r in records))

    def rows(self) -> list[list[str]]:
        """A table as text: what was done, to which input, at what, and the figure of every run."""
        cells: dict[tuple[str, str, float], dict[str, str]] = {}
        for m in self.points:
            cells.setdefault((m.what, m.input, m.at), {})[m.run] = interval(m.figure)
        return [
            [what, name, f"{at:g}" if what in AGAINST else "–", *(own.get(run, "–") for run in self.runs)]
            for (what, name, at), own in cells.items()
        ]

    @property
    def head(self) -> list[str]:
        """The names of the table's columns."""
        return ["what", "input", "level or radius", *self.runs]

    def __str__(self) -> str:
        table = [self.head, *self.rows()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]
        return "\n".join([*lines, "", protocol(self.figures[0])])
