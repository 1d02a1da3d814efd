"""Writing a table whose media cells lie beside it, or inside it where the format can hold bytes."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa

from omnishot.errors import DataError, UsageError

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")


def check_format(out: str | Path) -> Path:
    """`out` as a path.

    Raises:
        UsageError: if no table can be written under that name.
    """
    if Path(out).suffix not in FORMATS:
        raise UsageError(f"cannot write a table to {out}: the name must end in one of {', '.join(FORMATS)}")
    return Path(out)


def write_frame(frame: pd.DataFrame, out: str | Path) -> Path:
    """Write a table whole or not at all, in the format of its name. Returns its path.

    A cell that is a list stays one in `.jsonl` and `.parquet`; `.csv` and `.tsv` hold its JSON, `["a", "b"]`.

    Raises:
        UsageError: if the format cannot be written.
        DataError: if the disk is full, the folder cannot be written, or (`.parquet`) a column mixes types.
    """
    out = check_format(out)
    partial = out.with_name(f".{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        match out.suffix:
            case ".csv":
                _lists_as_text(frame).to_csv(partial, index=False)
            case ".tsv":
                _lists_as_text(frame).to_csv(partial, index=False, sep="\t")
            case ".jsonl":
                frame.to_json(partial, orient="records", lines=True, force_ascii=False)
            case ".parquet":
                frame.to_parquet(partial, index=False)
        partial.replace(out)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise DataError(f"cannot write {out}: {error.strerror or error}") from None
    except pa.ArrowException as error:
        with suppress(OSError):
            partial.unlink()
        raise DataError(f"cannot write {out}: {error}; give the column cells of one type, or write .jsonl") from None
    return out


def _lists_as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The same cells with the JSON of a list in its place."""

    def text(cell: Any) -> Any:
        return json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | tuple) else cell

    return frame.apply(lambda column: column.map(text) if column.dtype.kind == "O" else column)


class TableWriter:
    """Collects rows for the table `out` and stores media so that the table finds them again.

    With `.parquet` a media cell is the file's bytes, so one file holds everything; with the text formats it is
    a path relative to the table, below a folder named after it (`birds.csv` -> `birds_files/...`).

    Raises:
        UsageError: if the format of `out` cannot be written.
    """

    def __init__(self, out: str | Path):
        self.out = check_format(out)
        self.folder = PurePosixPath(f"{self.out.stem}_files")
        self.rows: list[dict[str, Any]] = []
        self.made: set[Path] = set()
        self.out.parent.mkdir(parents=True, exist_ok=True)

    def media(self, name: str, data: bytes) -> str | bytes:
        """Store the file `name` (a relative posix path) and return the cell that refers to it."""
        if self.out.suffix == ".parquet":
            return data
        cell = self.folder / name
        path = self.out.parent / cell
        if path.parent not in self.made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.made.add(path.parent)
        path.write_bytes(data)
        return str(cell)

    def row(self, **cells: Any) -> None:
        """Append a row; None is a missing cell."""
        self.rows.append(cells)

    def close(self) -> Path:
        """Write the table itself, last, so that a table that exists is whole. Returns its path."""
        return write_frame(pd.DataFrame(self.rows), self.out)
