"""Reads a table from a file, a data frame, a list of dicts or a Hugging Face data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from omnishot.errors import DataError, UsageError, choose, nearest
from omnishot.table.frames import check_header, clean, objects
from omnishot.table.huggingface import is_dataset, read_dataset
from omnishot.table.schema import Column, Schema, infer, parse_targets
from omnishot.table.splits import given
from omnishot.table.table import Table
from omnishot.table.textfiles import read_csv, read_jsonl

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


def read_table(
    source: Any,
    *,
    target: str | Sequence[str] | None = None,
    group: str | None = None,
    modality: Mapping[str, str] | None = None,
    inputs: Sequence[str] | None = None,
    split: str | None = "split",
    objective: str | None = None,
    folder: str | Path | None = ".",
) -> Table:
    """Read a table; what the options do not say about its columns is inferred from its cells (`inference`).

    Args:
        source: a path to .csv, .tsv, .jsonl or .parquet; a DataFrame; a list of dicts; a Hugging Face dataset; or
            a Table, whose schema is then changed as far as options are given.
        target: column to predict; by default the one named label, target, class or y, if exactly one is. Several
            columns of numbers may be predicted at once, given as a list or joined by commas.
        group: column whose values are tasks.
        modality: by column image, text, audio, video, series, number, category, tabular (number or category)
            or note.
        inputs: the only columns to learn from.
        split: column of train, val and test, used if it exists; None ignores it.
        objective: by name; see `omnishot list objectives`.
        folder: where paths in a table in memory start from (a file's paths start from its own folder);
            None refuses paths.

    Missing is empty, null or NaN; "NA" and "None" are text.

    Raises:
        DataError: if the table cannot be read, is empty, names a column twice or an unknown split.
        UsageError: if an option names what does not exist.
    """
    options = {
        "target": target,
        "group": group,
        "modality": modality,
        "inputs": inputs,
        "objective": objective,
    }
    if isinstance(source, Table):
        return _with_options(source, split, options)
    table, declared = _load(source, split, folder)
    schema = infer(table.frame, split=split, **options | {"modality": declared | dict(modality or {})})  # type: ignore[arg-type]
    table = dataclasses.replace(table, schema=schema)
    given(table)
    return table


def read_rows(source: Any, schema: Schema, *, folder: str | Path | None = ".") -> Table:
    """Read rows by the schema of an earlier table, to adapt to them or to predict them.

    A column that the rows lack is missing in every row, but a target, group or split that the rows lack is
    removed from the schema. A column whose name begins with "_" is a note.

    Args:
        source, folder: as for `read_table`.
        schema: of the earlier table.

    Raises:
        DataError: if the table cannot be read, or has none of the inputs.
        UsageError: if it has a column that the earlier table had not, with the nearest name.
    """
    table, _ = (source, {}) if isinstance(source, Table) else _load(source, schema.split, folder)
    known, frame = {column.name for column in schema.columns}, table.frame
    for name in frame.columns:
        if name not in known and not name.startswith("_"):
            raise UsageError(f"{table.name} has a column {name!r} that the training table had not: "
                             + nearest(name, known))  # fmt: skip
    kept = tuple(c for c in schema.columns if c.role == "input" or c.name in frame.columns)
    if not any(c.role == "input" and c.name in frame.columns for c in kept):
        raise DataError(f"{table.name} has none of the inputs {[c.name for c in kept if c.role == 'input']}")
    extra = tuple(Column(name, "note") for name in frame.columns if name not in known)
    gap = objects([None] * len(frame))
    cells = {c.name: frame[c.name] if c.name in frame.columns else gap for c in (*kept, *extra)}
    table = dataclasses.replace(
        table, frame=pd.DataFrame(cells), schema=dataclasses.replace(schema, columns=(*kept, *extra))
    )
    given(table)
    return table


def _with_options(table: Table, split: str | None, options: dict[str, Any]) -> Table:
    """A table whose schema follows some new options; the rest of its schema stays."""
    if split == "split" and all(option is None for option in options.values()):
        return table
    old = table.schema
    target = parse_targets(options["target"], list(table.frame.columns)) or old.targets
    group = options["group"] or old.group
    column = split if split != "split" else old.split or split
    stays = {c.name: c.modality or "note" for c in old.columns if c.role in ("input", "note")}
    if options["inputs"] is not None:
        stays = {name: kind for name, kind in stays.items() if kind != "note"}
    stays = {name: kind for name, kind in stays.items() if name not in (*target, group, column)}
    kinds = {**stays, **dict(options["modality"] or {})}
    objective = options["objective"] or (old.objective if target == old.targets else None)
    schema = infer(
        table.frame,
        target=target,
        group=group,
        modality=kinds,
        inputs=options["inputs"],
        split=column,
        objective=objective,
    )
    table = dataclasses.replace(table, schema=schema)
    given(table)
    return table


def _load(source: Any, split: str | None, folder: str | Path | None) -> tuple[Table, dict[str, str]]:
    """A clean table without a schema yet, and the modalities that the source itself declares."""
    declared: dict[str, str] = {}
    place = None if folder is None else Path(folder)
    numbers: np.ndarray | None = None
    if isinstance(source, str | Path):
        path = Path(source)
        frame, numbers = _load_file(path)
        name, place = str(path), path.parent
    elif isinstance(source, pd.DataFrame):
        frame, name = source, "the DataFrame"
    elif is_dataset(source):
        name = "the data set"
        frame, declared, files = read_dataset(source, split)
        place = files or place
    elif isinstance(source, Sequence) and all(isinstance(row, Mapping) for row in source):
        frame, name = _from_rows(source), "the list of rows"
    else:
        raise UsageError(
            f"cannot read a table from {type(source).__name__}: give a path ({', '.join(SUFFIXES)}), "
            "a DataFrame, a list of dicts or a Hugging Face dataset"
        )
    return Table(clean(frame, name), Schema((), None), place, name, numbers), declared


def _from_rows(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    names = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame({name: objects([row.get(name) for row in rows]) for name in names})


def _load_file(path: Path) -> tuple[pd.DataFrame, np.ndarray | None]:
    suffix = choose("table format", path.suffix.lower(), SUFFIXES)
    if path.is_dir():
        raise DataError(f"{path} is a directory, not a table")
    if not path.exists():
        raise DataError(f"no such table: {path}")
    try:
        if not path.stat().st_size:
            raise DataError(f"{path} is empty: a table needs a header and at least one row")
        if suffix == ".parquet":
            return _read_parquet(path), None
        return read_jsonl(path) if suffix == ".jsonl" else read_csv(path, "," if suffix == ".csv" else "\t")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        file = pq.ParquetFile(path)
        check_header(file.schema_arrow.names, str(path))
        return file.read().to_pandas(ignore_metadata=True)
    except pa.ArrowException as error:
        raise DataError(f"{path} is no whole Parquet file: {error}") from None
