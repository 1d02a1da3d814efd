"""Numbers and categories: all number and category columns of a row together, as one input."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from omnishot.errors import choose
from omnishot.modality.base import CellError, Reach, Values, random_like
from omnishot.modality.failing import one_of, rewired, two_exchanged
from omnishot.modality.standard import FURTHEST, mean_and_std, standardised
from omnishot.table.table import cell_name

KINDS = ("number", "category")
MOST_LEVELS = 1000  # levels of one category column; rarer ones count as unknown
_LARGEST = float(np.finfo(np.float32).max)

BadCells = list[tuple[int, str, str]]


@dataclass(frozen=True)
class Tabular(Values):
    """Number and category columns, mixed.

    Layout of a stored cell, float32 `[columns, 2]`, the number columns first, in the order of `columns`:

        [i, 0]  a number: standardised by the training rows;  a category: the index of its level, as a float
        [i, 1]  1 if the value is present, 0 if it is missing (then [i, 0] is 0)

    A category's index is 1..len(levels); 0 is missing. A level that did not occur in training is stored as missing,
    since the network has learned nothing about it. An encoder reads `cardinalities`.

    Args:
        columns: names, numbers first.
        kinds: "number" or "category", by column.
        mean, std: of the training numbers, by column (0 and 1 for a category).
        levels: of the training categories as text, most frequent first, by column (empty for a number).
    """

    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    levels: tuple[tuple[str, ...], ...]

    kind = "tabular"
    dtype = np.float32
    unit = "standard deviations"

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.columns), 2)

    @property
    def numbers(self) -> int:
        """The number of number columns; they come first."""
        return self.kinds.count("number")

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """By column, the number of a category's indices, 0 (missing) included; 0 for a number column."""
        pairs = zip(self.kinds, self.levels, strict=True)
        return tuple(len(levels) + 1 if kind == "category" else 0 for kind, levels in pairs)

    @classmethod
    def fit(cls, cells: Mapping[str, Sequence[Any]], *, kinds: Mapping[str, str]) -> Tabular:
        """Choose means, deviations and levels from training rows.

        Args:
            cells: training rows by column (a DataFrame, for example).
            kinds: "number" or "category", by column.

        Raises:
            CellError: if no column has a value.
            UsageError: for an unknown kind.
        """
        for column in cells:
            choose(f"kind of column {column!r}", kinds[column], KINDS)
        columns = sorted(cells, key=lambda column: KINDS.index(kinds[column]))
        statistics = [_look(_series(cells[column]), kinds[column]) for column in columns]
        mean, std, levels = zip(*statistics, strict=True)
        fitted = cls(tuple(columns), tuple(kinds[column] for column in columns), mean, std, levels)
        if not fitted.present(fitted.decode_columns(cells)[0]).any():
            raise CellError("no value in it")
        return fitted

    def decode_columns(self, columns: Mapping[str, Sequence[Any]]) -> tuple[np.ndarray, BadCells]:
        """Columns -> `[n, columns, 2]`; text or infinity in a number column, or a container, is bad."""
        stored = np.zeros((len(columns[self.columns[0]]), *self.shape), np.float32)
        bad: BadCells = []
        for i, column in enumerate(self.columns):
            cells = _series(columns[column])
            if self.kinds[i] == "number":
                values, wrong = _numbers(cells, column)
                there = ~np.isnan(values)
                stored[:, i, 0] = standardised(values, self.mean[i], self.std[i])
            else:
                (codes, names), wrong = _labels(cells, column)
                index = self._indices[i]
                # One lookup per distinct value; the last is that of code -1, which is missing.
                stored[:, i, 0] = np.array([*(index.get(name, 0) for name in names), 0])[codes]
                there = stored[:, i, 0] > 0
            stored[:, i, 1] = there
            bad += wrong
        return stored, sorted(bad, key=lambda cell: cell[0])

    def present(self, stored: np.ndarray) -> np.ndarray:
        """True where at least one column has a value."""
        return np.asarray((stored[..., 1] > 0).any(-1))

    def normalise(self, stored: Tensor) -> Tensor:
        """The stored cell, unchanged; values of absent columns are 0."""
        cells = stored.to(torch.float32, copy=True)
        cells[..., 0] *= cells[..., 1]
        return cells

    def _corrupt(self, stored: Tensor, level: float | Tensor, generator: torch.Generator) -> Tensor:
        """Mix numbers with Gaussian noise; replace a category by a random level with probability `level`.

        A missing value is replaced by a random one with the same probability, since its absence is information too.
        """
        value, there = stored.unbind(-1)
        level = level.squeeze(-1) if isinstance(level, Tensor) else level
        hit = random_like(torch.rand, value.shape, generator, stored) < level
        noise = random_like(torch.randn, value.shape, generator, stored)
        uniform = random_like(torch.rand, value.shape, generator, stored)
        levels = torch.tensor([len(names) for names in self.levels], device=stored.device)
        is_number = torch.tensor([kind == "number" for kind in self.kinds], device=stored.device)
        drawn = torch.where(levels > 0, 1 + (uniform * levels).floor().clamp(max=levels - 1), 0.0)
        there = torch.where(hit, (is_number | (levels > 0)).to(there), there)
        value = torch.where(is_number, (1 - level) * value + level * noise, torch.where(hit, drawn.to(value), value))
        return torch.stack([value * there, there], -1)

    @property
    def failures(self) -> Mapping[str, Callable[[Tensor, torch.Generator], Tensor]]:
        """Failures of random number columns. `dead`: one reads 0, in its own unit. `swapped`: two are exchanged."""
        return {name: f for name, f, least in (("dead", self._dead, 1), ("swapped", self._swapped, 2))
                if self.numbers >= least}  # fmt: skip

    def _dead(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        n = self.numbers
        dead = one_of(n, stored.shape[:-2], generator, stored)
        zero = standardised(np.zeros(n), np.array(self.mean[:n]), np.array(self.std[:n]))
        reading = torch.stack([torch.from_numpy(zero), torch.ones(n)], -1).to(stored)
        return torch.cat([torch.where(dead[..., None], reading, stored[..., :n, :]), stored[..., n:, :]], -2)

    def _swapped(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        value, there = (part.clone() for part in stored.unbind(-1))
        n = self.numbers
        order = two_exchanged(n, value.shape[:-1], generator, stored)
        value[..., :n], there[..., :n] = rewired(value[..., :n], there[..., :n], order, self.mean, self.std)
        return torch.stack([value, there], -1)

    def reach(self, cells: Tensor) -> Reach:
        """An epsilon of 1 is one standard deviation. Numbers that are present move; categories and flags do not."""
        unit = torch.zeros_like(cells, dtype=torch.float64)
        unit[..., : self.numbers, 0] = cells[..., : self.numbers, 1].double()
        furthest = cells.new_tensor(FURTHEST)
        return Reach(unit, -furthest, furthest)

    def picture(self, stored: np.ndarray) -> str:
        """One line `name: value` for every value that is present."""
        lines = []
        for i, (value, there) in enumerate(np.asarray(stored, np.float64)):
            if there:
                number = self.kinds[i] == "number"
                shown = f"{value * self.std[i] + self.mean[i]:.5g}" if number else self.levels[i][int(value) - 1]
                lines.append(f"{self.columns[i]}: {shown}")
        return "\n".join(lines)

    @cached_property
    def _indices(self) -> list[dict[str, int]]:
        return [{name: index for index, name in enumerate(names, start=1)} for names in self.levels]


def _series(cells: Any) -> pd.Series:
    if isinstance(cells, pd.Series):
        return cells.reset_index(drop=True)
    return pd.Series(list(cells), dtype=object) if not isinstance(cells, np.ndarray) else pd.Series(cells)


def _look(cells: pd.Series, kind: str) -> tuple[float, float, tuple[str, ...]]:
    """Mean, deviation and levels of one column."""
    if kind == "category":
        return 0.0, 1.0, _levels(_labels(cells, "")[0])
    mean, std = mean_and_std(_numbers(cells, "")[0])
    return float(mean), float(std), ()


def _numbers(cells: pd.Series, column: str) -> tuple[np.ndarray, BadCells]:
    """float64 `[n]`, NaN where missing or bad."""
    plain = cells.map(lambda cell: math.nan if _is_container(cell) else cell) if cells.dtype == object else cells
    values = pd.to_numeric(plain, errors="coerce").to_numpy(np.float64, na_value=math.nan).copy()
    with np.errstate(invalid="ignore"):
        endless = np.abs(values) > _LARGEST
    values[endless] = math.nan
    suspects = np.flatnonzero(np.isnan(values) & ~cells.isna().to_numpy())
    bad = [(int(row), column, _why(cells[row])) for row in suspects if not _is_blank(cells[row])]
    return values, bad


def _why(cell: Any) -> str:
    if isinstance(cell, str):
        try:
            float(cell)
        except ValueError:
            return f"text in a number column: {cell[:40]!r}"
    return f"{type(cell).__name__} in a number column" if _is_container(cell) else f"{cell} in a number column"


def _labels(cells: pd.Series, column: str) -> tuple[tuple[np.ndarray, list[str]], BadCells]:
    """Codes `[n]` (-1 where missing or bad), and the category's text of each code."""
    bad: BadCells = []
    if cells.dtype == object:
        wrong = np.flatnonzero(cells.map(_is_container).to_numpy(bool))
        bad = [(int(row), column, f"{type(cells[row]).__name__} in a category column") for row in wrong]
        cells = cells.copy()
        cells[wrong] = None
    codes, uniques = pd.factorize(cells)
    names = [cell_name(value).strip() for value in uniques]
    blank = np.array([*(not name for name in names), True])
    return (np.where(blank[codes], -1, codes), names), bad


def _levels(labels: tuple[np.ndarray, list[str]]) -> tuple[str, ...]:
    codes, names = labels
    counts: Counter[str] = Counter()
    for name, count in zip(names, np.bincount(codes[codes >= 0], minlength=len(names)).tolist(), strict=True):
        if count:
            counts[name] += count
    return tuple(sorted(counts, key=lambda name: (-counts[name], name))[:MOST_LEVELS])


def _is_container(cell: Any) -> bool:
    return isinstance(cell, bytes | bytearray | np.ndarray | list | tuple | dict | set)


def _is_blank(cell: Any) -> bool:
    return isinstance(cell, str) and cell.strip().lower() in ("", "nan")
