"""All inputs of a table at once: fit their modalities on training rows, then decode every row."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omnishot.core import seeds
from omnishot.core.distributed import ALONE, Ranks
from omnishot.errors import DataError, UsageError, choose, nearest
from omnishot.modality import modality_class
from omnishot.modality.base import CellError, Media, Modality, Values
from omnishot.modality.features import Features
from omnishot.table.cache import decoded, derive_into, derived
from omnishot.table.cells import missing
from omnishot.table.checking import BadCell
from omnishot.table.parallel import in_chunks
from omnishot.table.table import Table, open_cell

MEDIA_SAMPLE = 2_000  # cells that a modality is fitted on
MEDIA_BYTES = 256 << 20  # bytes of files, above which the sample is smaller
VALUES_SAMPLE = 200_000
SLAB = 1 << 16  # rows of plain values that are decoded at a time
DECODERS = 1  # increase it whenever a decoder gives other arrays for the same settings


@dataclass(frozen=True)
class Decoded:
    """Every row of a table, decoded.

    Args:
        stored: by input name, `[n, *cell]`; media are memory-mapped and read-only.
        present: bool `[n, inputs]`, in the order of `stored`.
        bad: bad cells, in row order; they are not present.
    """

    stored: dict[str, np.ndarray]
    present: np.ndarray
    bad: list[BadCell]


def fit_inputs(
    table: Table,
    rows: np.ndarray,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    seed: int = 0,
    given: Mapping[str, Modality] | None = None,
    shared: bool = False,
) -> dict[str, Modality]:
    """The modality of each input of the table, fitted on a seeded sample of `rows` (the training rows).

    Args:
        options: of `fit`, by input name or by kind (`{"image": {"size": 28}}`); those of a name take precedence.
        given: modalities of inputs that need no fitting, by name.
        shared: fit inputs of one kind and the same options together, so that one encoder can read them.

    Raises:
        UsageError: for an unknown input or option, naming the nearest.
        DataError: if an input has no training cell that can be decoded.
    """
    inputs, options, given = table.schema.inputs(), options or {}, given or {}
    _check_options(inputs, options)
    own = {name: {**options.get(kind, {}), **options.get(name, {})} for name, (kind, _) in inputs.items()}
    modalities: dict[str, Modality] = {}
    for name, (kind, _) in inputs.items():
        alike = [n for n, (k, _) in inputs.items() if k == kind and own[n] == own[name] and n not in given]
        if name in given:
            modalities[name] = given[name]
        elif shared and alike[0] in modalities:
            modalities[name] = modalities[alike[0]]
        else:
            modalities[name] = fit_input(table, name, rows, own[name], seed=seed, also=alike[1:] if shared else ())
    return modalities


def fit_input(
    table: Table,
    name: str,
    rows: np.ndarray,
    options: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    also: Sequence[str] = (),
) -> Modality:
    """The modality of one input, fitted together with other inputs of its kind (`also`); see `fit_inputs`.

    Raises:
        DataError: if no cell can be decoded; its cause is the CellError with the reason.
    """
    kind, columns = table.schema.inputs()[name]
    if also:
        table, rows = _below(table, name, also, rows)
    try:
        return _fit(table, kind, columns, rows, options or {}, seeds.modality_sample(seed))
    except CellError as error:
        raise DataError(
            f"{table.name}: {kind} input {name!r} cannot be learned from the {len(rows)} training rows: {error}; "
            f"fill in some cells, or leave the column out"
        ) from error


def _below(table: Table, name: str, also: Sequence[str], rows: np.ndarray) -> tuple[Table, np.ndarray]:
    """The table whose column `name` continues with the `rows` of the columns `also`, and all its row numbers."""
    cells = np.concatenate([table.frame[n].to_numpy(dtype=object)[rows] for n in (name, *also)])
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object)})
    return dataclasses.replace(table, frame=frame, numbers=None), np.arange(len(cells))


def decode_inputs(
    table: Table,
    modalities: Mapping[str, Modality],
    *,
    progress: bool = False,
    cached: bool = True,
    root: Path | None = None,
    host: Ranks = ALONE,
) -> Decoded:
    """Decode every row with the fitted modalities; media through the cache in `root`, or in memory if not `cached`.

    The ranks of a `host` fill its cache together.

    Raises:
        UsageError: if the table lacks a column that a modality reads.
        DataError: if the cache cannot be written.
    """
    stored, present = {}, np.zeros((len(table), len(modalities)), bool)
    bad_cells: Bad = []
    for i, (name, modality) in enumerate(modalities.items()):
        for column in columns_of(name, modality):
            choose("column", column, table.frame.columns)
        stored[name], present[:, i], bad = _decode(
            table, name, modality, cached, root, name if progress else None, host
        )
        bad_cells += bad
    place = {column: i for i, column in enumerate(table.frame.columns)}
    bad_cells.sort(key=lambda cell: (cell[0], place[cell[1]]))
    return Decoded(stored, present, [BadCell(*cell, table.row_number(cell[0])) for cell in bad_cells])


Bad = list[tuple[int, str, str]]  # row, column, reason


def _decode(
    table: Table, name: str, modality: Modality, cached: bool, root: Path | None, label: str | None, host: Ranks
) -> tuple[np.ndarray, np.ndarray, Bad]:
    """One input of every row: stored, present, and the bad cells."""
    if isinstance(modality, Features):
        base, present, wrong = _decode(table, name, modality.of, cached, root, label, host)
        if cached:
            stored = derived(
                base,
                present,
                key_settings={"decoders": DECODERS, **modality.encoding},
                shape=modality.shape,
                dtype=modality.dtype,
                derive=modality.derive,
                root=root,
                label=label and f"{label}: encoding",
                host=host,
            )
        else:
            stored = np.zeros((len(base), *modality.shape), modality.dtype)
            derive_into(stored, base, present, modality.derive)
        return stored, present, wrong
    if isinstance(modality, Values):
        return _in_slabs(table, name, modality)
    if not isinstance(modality, Media):
        raise TypeError(f"cells of the kind {modality.kind} cannot be decoded")
    if cached:
        stored, present, bad = decoded(
            table.frame[name].to_list(),
            key_settings={"decoders": DECODERS, **modality.decoding},
            shape=modality.shape,
            dtype=modality.dtype,
            decode=modality.decode,
            folder=table.folder,
            root=root,
            label=label,
            host=host,
        )
    else:
        stored, present, bad = _in_memory(table, name, modality)
    return stored, present, [(row, name, reason) for row, reason in bad]


def _in_slabs(table: Table, name: str, modality: Values) -> tuple[np.ndarray, np.ndarray, Bad]:
    """Decode plain values some rows at a time: decoding takes many times the memory of its result."""
    stored, present = np.empty((len(table), *modality.shape), modality.dtype), np.empty(len(table), bool)
    bad_cells: Bad = []
    for start in range(0, len(table), SLAB):
        rows = slice(start, start + SLAB)
        columns: dict[str, Any] = {column: table.frame[column].iloc[rows] for column in columns_of(name, modality)}
        part, bad = modality.decode_columns(columns)
        stored[rows], present[rows] = part, modality.present(part)
        bad_cells += [(start + row, column, reason) for row, column, reason in bad]
    return stored, present, bad_cells


def _in_memory(table: Table, name: str, modality: Media) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str]]]:
    cells = table.frame[name].to_numpy(dtype=object)
    stored, present = np.zeros((len(cells), *modality.shape), modality.dtype), np.zeros(len(cells), bool)

    def work(chunk: range) -> list[tuple[int, str]]:
        bad = []
        for row in chunk:
            if not missing(cells[row]):
                try:
                    stored[row], present[row] = modality.decode(open_cell(cells[row], table.folder)), True
                except ValueError as problem:
                    bad.append((row, str(problem)))
        return bad

    return stored, present, [problem for part in in_chunks(work, len(cells)) for problem in part]


def columns_of(name: str, modality: Modality) -> tuple[str, ...]:
    """The columns that an input of this name reads."""
    return getattr(modality.of if isinstance(modality, Features) else modality, "columns", (name,))


def _fit(
    table: Table,
    kind: str,
    columns: tuple[str, ...],
    rows: np.ndarray,
    options: Mapping[str, Any],
    rng: np.random.Generator,
) -> Modality:
    cls = modality_class(kind)
    if kind == "tabular":
        kinds = {column: table.schema.column(column).modality for column in columns}
        return cls.fit({column: table.frame[column].iloc[rows] for column in columns}, kinds=kinds, **options)
    column = table.frame[columns[0]]
    order = rng.permutation(_present(column, rows))
    if cls.media:
        return cls.fit(_opened(column.iloc[order[:MEDIA_SAMPLE]].to_list(), table.folder), **options)
    return cls.fit(column.iloc[np.sort(order[:VALUES_SAMPLE])].to_list(), **options)


def _present(column: pd.Series, rows: np.ndarray) -> np.ndarray:
    """Those of `rows` that have a cell in the column, read in parts: cells as Python objects take much memory."""
    slabs = (rows[start : start + SLAB] for start in range(0, len(rows), SLAB))
    present = [slab[[not missing(cell) for cell in column.iloc[slab]]] for slab in slabs]
    return np.concatenate([rows[:0], *present])


def _opened(cells: Sequence[Any], folder: Path | None) -> list[Any]:
    """The contents of the cells in order, as many as fit into memory, without those that cannot be opened."""
    contents: list[Any] = []
    size, problem = 0, None
    for cell in cells:
        try:
            content = open_cell(cell, folder)
        except ValueError as error:
            problem = error
            continue
        contents.append(content)
        size += len(content) if isinstance(content, bytes) else content.nbytes
        if size > MEDIA_BYTES:
            break
    if not contents:
        raise CellError(f"no cell can be opened; one of them {problem}" if problem else "every cell is missing")
    return contents


def _check_options(inputs: Mapping[str, tuple[str, tuple[str, ...]]], options: Mapping[str, Mapping[str, Any]]) -> None:
    kinds = {name: kind for name, (kind, _) in inputs.items()}
    kinds |= {kind: kind for kind in kinds.values()}
    for name, given in options.items():
        kind = kinds[choose("input", name, kinds)]
        parameters = inspect.signature(modality_class(kind).fit).parameters.values()
        known = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} - {"kinds"}
        for option in given:
            if option not in known:
                raise UsageError(f"{kind} input {name!r} has no option {option!r}: {nearest(option, known)}")
