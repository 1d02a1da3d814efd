"""Reads CSV, TSV and JSONL strictly: every error names the line, and no cell is guessed."""

from __future__ import annotations

import csv
import json
import mmap
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from omnishot.errors import DataError
from omnishot.table.frames import check_header, objects

BLOCK = 1 << 24
MISSING = ["", "null", "NULL", "NaN", "nan"]
# An integer of more digits than a float holds, or with a leading zero, is a name rather than a number: text.
INTEGER = r"^-?(0|[1-9][0-9]{0,14})$"
LONG_INTEGER = r"^-?(0|[1-9][0-9]{0,17})$"
NUMBER = r"^-?((0|[1-9][0-9]{0,14})|[0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"


def read_csv(path: Path, delimiter: str) -> tuple[pd.DataFrame, np.ndarray]:
    """The cells, and for each row the line of the file that it begins on (the header is on line 1).

    A column is numbers or True/False if every present cell is; otherwise it is text, exactly as written.

    Raises:
        DataError: naming the line, if the file is not UTF-8 or a row has not as many cells as the header.
    """
    names = _header(path, delimiter)
    try:
        table = arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(column_names=names, skip_rows_after_names=1, block_size=BLOCK),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=MISSING,
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        _explain(path, delimiter, len(names))
        raise DataError(f"{path} cannot be read as a table: {error}") from None
    frame = pd.DataFrame({name: _typed(table.column(i)) for i, name in enumerate(names)}, copy=False)
    return frame, _line_numbers(path, delimiter, len(frame))


def read_jsonl(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """The cells, and for each row its line; a column that a row does not name is missing there.

    Raises:
        DataError: naming the line, if it is not UTF-8, not a JSON object, or names a column twice.
    """
    decode = json.JSONDecoder(object_pairs_hook=_unique).decode
    columns: dict[str, list[Any]] = {}
    numbers: list[int] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = decode(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError as error:
                raise DataError(f"{path}, line {number}: not UTF-8 ({error.reason}): save it as UTF-8") from None
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}, line {number}: not a JSON object: {error}") from None
            if not isinstance(row, dict):
                raise DataError(f"{path}, line {number}: a JSON object is needed, not {line[:40]!r}")
            for name, cell in row.items():
                column = columns.setdefault(name, [])
                column.extend([None] * (len(numbers) - len(column)))
                column.append(cell)
            numbers.append(number)
    padded = {name: objects(column + [None] * (len(numbers) - len(column))) for name, column in columns.items()}
    return pd.DataFrame(padded), np.asarray(numbers, dtype=np.int64)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it names the column {next(n for n in names if names.count(n) > 1)!r} twice")
    return row


def _header(path: Path, delimiter: str) -> list[str]:
    try:
        names = next((row for _, row in _records(path, delimiter)), [])
    except UnicodeDecodeError:
        _explain(path, delimiter, 0)
        raise
    if not any(names):
        raise DataError(f"{path} is empty: a table needs a header and at least one row")
    names = [name or f"_column{i + 1}" for i, name in enumerate(names)]  # pandas writes its index without a name
    check_header(names, str(path))
    return names


def _typed(column: pa.ChunkedArray) -> pd.Series:
    """Text cells as numbers or bool where every present cell is one."""

    def every(pattern: str) -> bool:
        return pc.all(pc.match_substring_regex(column, pattern)).as_py() is True

    if every(INTEGER if column.null_count else LONG_INTEGER):
        return column.cast(pa.float64() if column.null_count else pa.int64()).to_pandas()
    if every(NUMBER):
        return column.cast(pa.float64()).to_pandas()
    if not column.null_count and every("^(True|False)$"):
        return pc.equal(column, "True").to_pandas()
    return column.to_pandas()


def _line_numbers(path: Path, delimiter: str, rows: int) -> np.ndarray:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        lines = sum(_line_ends(content, start) for start in range(0, len(content), BLOCK))
        lines += content[-1:] not in b"\r\n"
    if lines == rows + 1:  # neither blank lines nor cells of several lines
        return np.arange(2, rows + 2)
    numbers = [number for number, _ in _records(path, delimiter)][1:]
    return np.asarray(numbers if len(numbers) == rows else range(2, rows + 2), dtype=np.int64)


def _line_ends(content: mmap.mmap, start: int) -> int:
    """How many lines end in a block: by a line feed, a carriage return, or both."""
    block = content[start : start + BLOCK]
    pairs = content[start : start + BLOCK + 1].count(b"\r\n")
    return block.count(b"\n") + block.count(b"\r") - pairs


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank with the line it begins on: slow, only for line numbers and errors."""
    with path.open(encoding="utf-8-sig", newline="") as file, _long_fields():
        reader, start = csv.reader(file, delimiter=delimiter, strict=True), 1
        for row in reader:
            if row:
                yield start, row
            start = reader.line_num + 1


@contextmanager
def _long_fields() -> Iterator[None]:
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _explain(path: Path, delimiter: str, width: int) -> None:
    """Raise a DataError for the first line that is wrong, if one is."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                raise DataError(f"{path}, line {number}: not UTF-8 ({error.reason}): save it as UTF-8") from None
    number = 0
    try:
        for number, row in _records(path, delimiter):
            if len(row) != width:
                raise DataError(
                    f"{path}, line {number}: {len(row)} cells where the header has {width}: "
                    "add what is missing, or put quotes around a cell that contains the separator"
                )
    except csv.Error as error:
        raise DataError(f"{path}, after line {number}: {error}: is a quote left open?") from None
