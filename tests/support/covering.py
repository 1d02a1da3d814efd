"""Fewer cases that still try every pair: covering designs in place of full grids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, product
from typing import Any


def pairwise(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows, one value of every axis each, in which any two values of two axes meet in at least one row.

    Greedy and deterministic: the next row is the first of those in the full grid that cover most pairs not yet
    covered. A fault that needs one option, or two together, shows as it does in the full grid.
    """
    grid = list(product(*(range(len(axis)) for axis in axes)))
    if len(axes) < 2:
        return [tuple(axis[i] for axis, i in zip(axes, row, strict=True)) for row in grid]

    def pairs(row: tuple[int, ...]) -> set[tuple[int, int, int, int]]:
        return {(i, row[i], j, row[j]) for i, j in combinations(range(len(row)), 2)}

    left = set().union(*map(pairs, grid))
    rows = []
    while left:
        best = max(grid, key=lambda row: len(pairs(row) & left))
        left -= pairs(best)
        rows.append(tuple(axis[i] for axis, i in zip(axes, best, strict=True)))
    return rows


def rotated(names: Iterable[str], others: Iterable[Any], each: int = 1) -> list[tuple[str, Any]]:
    """Every name with `each` of the others in turn, so that every other one is tried as often."""
    others = list(others)
    return [
        (name, others[(i * each + k) % len(others)])
        for i, name in enumerate(names)
        for k in range(min(each, len(others)))
    ]
