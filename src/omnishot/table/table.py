"""A table in memory: raw cells, what each column is, and where relative paths start from."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omnishot.errors import DataError, UsageError
from omnishot.table.cells import CellProblem, open_cell
from omnishot.table.frames import is_listed
from omnishot.table.schema import Schema
from omnishot.table.targets import CLASS
from omnishot.table.texts import texts_of

__all__ = ["CellProblem", "Table", "encode", "open_cell", "require_target"]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of a user's data, as read.

    Args:
        frame: one column per schema column; missing cells are None or NaN; index 0..n-1.
        folder: the folder that paths in cells start from and may not leave; None where paths are not allowed.
        name: what messages call the table.
        numbers: `[n]`, what a person calls each row; None counts from 0. See `row_number`.
    """

    frame: pd.DataFrame
    schema: Schema
    folder: Path | None
    name: str
    numbers: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def classes(self) -> tuple[str, ...]:
        """The distinct classes of the target as text, sorted; empty unless the objective is to classify."""
        return self.labels[1] if self.schema.target_form == CLASS else ()

    @cached_property
    def labels(self) -> tuple[np.ndarray, tuple[str, ...]]:
        """The class of each row as an index into the sorted names (`[n]`, -1 where missing), and the names."""
        return encode(self.frame[require_target(self)])

    @cached_property
    def texts(self) -> list[list[str]]:
        """The texts that the target holds of each row, `[n]`; none where it is missing."""
        return [texts_of(cell) for cell in self.frame[require_target(self)]]

    @cached_property
    def groups(self) -> tuple[np.ndarray, tuple[str, ...]]:
        """The group of each row like `labels`.

        Raises:
            UsageError: if the table has no group column.
        """
        if self.schema.group is None:
            raise UsageError(f"{self.name} has no group column: say which column says what belongs together")
        return encode(self.frame[self.schema.group])

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits over names and cells; a file counts by its path (the cache looks at its content)."""
        digest = hashlib.blake2b(digest_size=16)
        for name, column in self.frame.items():
            digest.update(f"{len(str(name))}:{name}".encode())
            digest.update(_hashes(column).tobytes())
        return digest.hexdigest()

    def row_number(self, row: int) -> int:
        """What a person calls row 0..n-1: its line in a text file (the header is 1), else counted from 0."""
        return int(row if self.numbers is None else self.numbers[row])

    def select(self, rows: Sequence[int] | np.ndarray) -> Table:
        """Some rows in the order given (indices, or a bool mask); they keep the numbers a person knows."""
        index = np.arange(len(self))[np.asarray(rows)]
        numbers = index if self.numbers is None else self.numbers[index]
        frame = self.frame.iloc[index].reset_index(drop=True)
        return dataclasses.replace(self, frame=frame, numbers=numbers)


def require_target(table: Table) -> str:
    """The name of the target column, of several the first.

    Raises:
        UsageError: if the table has none, listing the columns.
    """
    if table.schema.target is None:
        raise UsageError(
            f"{table.name} has no target: say which column to predict; columns: {', '.join(table.frame.columns)}"
        )
    return table.schema.target


def encode(column: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """Cells as indices into their sorted distinct names (int64 `[n]`, -1 where missing), and the names.

    2 and 2.0 have the same name: one missing cell turns a column of integers into floats.

    Raises:
        DataError: if cells are lists of texts.
    """
    if is_listed(column):
        raise DataError(
            f"column {column.name!r} holds lists of texts, which are no classes or groups: say what they are "
            "(objective='tag' for several labels a row, 'caption', 'answer', …; --objective)"
        )
    codes, values = pd.factorize(column)
    texts = [cell_name(value) for value in values]
    names = sorted(set(texts))
    position = {name: i for i, name in enumerate(names)}
    lookup = np.array([position[text] for text in texts] + [-1], dtype=np.int64)
    return lookup[codes], tuple(names)


def cell_name(value: Any) -> str:
    """A class or group as text."""
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)


def _hashes(column: pd.Series) -> np.ndarray:
    if column.dtype != object:
        return pd.util.hash_pandas_object(column, index=False).to_numpy()
    return np.frombuffer(b"".join(cell_digest(cell) for cell in column), dtype=np.uint64)


def cell_digest(cell: Any) -> bytes:
    """16 bytes that stand for the content of a cell."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(cell, np.ndarray) and cell.dtype != object:
        digest.update(f"array {cell.dtype.str} {cell.shape}".encode())
        digest.update(np.ascontiguousarray(cell).data)
    elif isinstance(cell, bytes | bytearray):
        digest.update(b"bytes")
        digest.update(cell)
    elif isinstance(cell, np.ndarray | list | tuple):
        digest.update(b"list" + b"".join(cell_digest(part) for part in cell))
    elif type(cell).__module__.startswith("PIL."):
        return cell_digest(open_cell(cell, None))
    else:
        digest.update(f"{type(cell).__name__} {cell}".encode())
    return digest.digest()
