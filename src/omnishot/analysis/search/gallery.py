"""Finding rows of a table by words, a picture, a sound: by any input, in the space where a network brings inputs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omnishot.analysis.search.nearest import Nearest
from omnishot.episodes.store import Store
from omnishot.errors import DataError, UsageError, choose
from omnishot.evaluation.embeddings import unit_vectors
from omnishot.learners.base import Params
from omnishot.modality import decode_inputs
from omnishot.modality.base import Modality
from omnishot.runs.load import load
from omnishot.runs.model import Model
from omnishot.runs.run import Run
from omnishot.table.cells import media_kind, missing
from omnishot.table.checking import BadCell
from omnishot.table.reading import read_rows
from omnishot.table.table import Table


@dataclass(frozen=True)
class Hit:
    """A row that was found: its number (as `Table.row_number` counts), its cosine, and its plain values."""

    row: int
    similarity: float
    values: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What a query found, the nearest row first.

    Args:
        query: as it was asked, for people.
        input, by: what the query is, and what the rows were compared by.
        rows: how many rows have that.
        exact: whether all of them were compared.
    """

    query: str
    input: str
    by: str
    rows: int
    exact: bool
    hits: tuple[Hit, ...]

    def to_json(self) -> dict[str, Any]:
        """The record."""
        return dataclasses.asdict(self) | {"hits": [dataclasses.asdict(hit) for hit in self.hits]}

    def __str__(self) -> str:
        lines = [f"{self.query}: {self.input} → {self.by}, of {self.rows:,} rows"]
        for hit in self.hits:
            values = ", ".join(f"{name}: {value}" for name, value in hit.values.items())
            lines.append(f"{hit.similarity:7.4f}  row {hit.row}  {values}")
        return "\n".join(lines)


class Gallery:
    """Rows of a table, embedded once, to be found by one of their inputs.

    Whatever the query is, it is compared with the rows by the cosine of their embeddings. Those of different inputs
    have something to do with one another where training aligned them (`--auxiliary infonce=1` or `sigmoid=1`; the
    learner `cca` does nothing else).

    Args:
        of: a run, or a model: what it adapted of the embeddings counts.
        table: as `Run.adapt` takes it; it needs no target.
        by: the input that rows are found by.
        exact: whether a query is compared with every row; None: up to a hundred thousand (`omnishot.analysis.search.nearest`).
        progress: show progress on stderr.

    Raises:
        UsageError: if there is no such input, or embeddings cannot be had.
        DataError: if the table cannot be read, or no row has the input.
    """

    def __init__(self, of: Run | Model, table: Any, by: str, *, exact: bool | None = None, progress: bool = False):
        self.of, self.by = of, choose("input", by, of.learner.network.modalities)
        self.table = read_rows(table, of.schema)
        store, self.bad = _decoded(self.table, {by: of.learner.network.modalities[by]}, cached=True, progress=progress)
        self.rows = np.flatnonzero(store.present[:, 0])
        if not len(self.rows):
            why = f" ({self.bad[0]})" if self.bad else ""
            raise DataError(f"{self.table.name}: no row has the input {by!r}{why}: give rows that have, or another one")
        self.nearest = Nearest(unit_vectors(of.learner, _params(of), store, by, self.rows), exact)

    def search(self, query: Any, input: str | None = None, top: int = 10) -> Found:
        """The rows that are nearest to a query.

        Args:
            query: words; the path of a picture, sound or other file; what else a cell of the input may be; or a row as
                a dict with the columns of one input.
            input: which input the query is; None: words are the first text, a file the first input of its kind.
            top: how many rows, if there are as many.

        Raises:
            UsageError: if no input can be such a query.
            DataError: if the query cannot be read.
        """
        if top < 1:
            raise UsageError(f"top must be at least 1, not {top}")
        name = query_input(query, self.of, input)
        similarity, found = self.nearest.find(_query_vector(self.of, name, query), top)
        hits = tuple(
            Hit(self.table.row_number(self.rows[i]), round(float(s), 6), _values(self.table, self.rows[i]))
            for s, i in zip(similarity[0], found[0], strict=True)
            if i >= 0
        )
        return Found(_shown(query), name, self.by, len(self.rows), self.nearest.exact, hits)


def gallery_for(
    of: Run | Model,
    table: Any,
    query: Any,
    input: str | None = None,
    by: str | None = None,
    exact: bool | None = None,
    progress: bool = False,
) -> Gallery:
    """The rows of a table to be found by `by`; None: by the first input other than the query's that some row has, by
    the query's own where there is none."""
    name, rows = query_input(query, of, input), read_rows(table, of.schema)
    if by is None:
        inputs, frame = of.schema.inputs(), rows.frame
        there = [n for n, (_, columns) in inputs.items() if not frame[list(columns)].isna().all(axis=None)]
        by = next((n for n in of.learner.network.names if n in there and n != name), name)
    return Gallery(of, rows, by, exact=exact, progress=progress)


def query_input(query: Any, of: Run | Model, said: str | None = None) -> str:
    """Which input of a run or model a query is.

    Raises:
        UsageError: if none is of its kind, or `said` is none.
        DataError: if it is the name of a file that does not exist.
    """
    modalities = of.learner.network.modalities
    if said is not None:
        return choose("input", said, modalities)
    if isinstance(query, Mapping):
        columns = {column: name for name, (_, own) in of.schema.inputs().items() for column in own}
        named = {columns[choose("column", column, columns)] for column in query}
        if len(named) != 1:
            raise UsageError(f"a query is a row of one input, not of {', '.join(sorted(named)) or 'none'}")
        return named.pop()
    kind = media_kind(str(query) if isinstance(query, Path) else query)
    if isinstance(query, str | Path) and not _is_file(query):
        if isinstance(query, Path) or (kind and " " not in query):
            raise DataError(f"{query} does not exist: give words, or the path of a file")
        kind = "text"
    name = next((n for n, m in modalities.items() if m.cell_kind == kind), None)
    if name is None:
        inputs = ", ".join(f"{n} ({m.cell_kind})" for n, m in modalities.items())
        what = f"is {kind}, which no input is" if kind else "is of no kind that can be told"
        raise UsageError(
            f"the query {_shown(query)!r} {what}: say which input it is (input=…, --input); known: {inputs}"
        )
    return name


def _query_vector(of: Run | Model, name: str, query: Any) -> np.ndarray:
    """The embedding of a query, `[1, dim]`."""
    modality, columns = of.learner.network.modalities[name], of.schema.inputs()[name][1]
    row, folder = query, "."
    if not isinstance(query, Mapping):
        if len(columns) > 1 or modality.cell_kind == "tabular":
            said = ", ".join(f'"{column}": …' for column in columns)
            raise UsageError(f"the input {name!r} is several columns: give the query as a row, {{{said}}}")
        row = {columns[0]: query}
        if modality.media and isinstance(query, str | Path):
            path = Path(os.path.abspath(query))
            row, folder = {columns[0]: path.name}, str(path.parent)
    store, bad = _decoded(read_rows([row], of.schema, folder=folder), {name: modality})
    if bad or not store.present.any():
        raise DataError(
            f"the query {_shown(query)!r} cannot be read as {name}: {bad[0].reason if bad else 'it is empty'}"
        )
    return unit_vectors(of.learner, _params(of), store, name, np.arange(1))


def _params(of: Run | Model) -> Params:
    params = of.learner.params()
    return of.learner.adapted(params, of.state) if isinstance(of, Model) else params


def _decoded(
    table: Table, modalities: Mapping[str, Modality], cached: bool = False, progress: bool = False
) -> tuple[Store, list[BadCell]]:
    decoded = decode_inputs(table, modalities, cached=cached, progress=progress)
    return Store(modalities, decoded.stored, decoded.present), decoded.bad


def _is_file(query: str | Path) -> bool:
    try:
        return Path(query).is_file()
    except (OSError, ValueError):  # too long for a name, or with a null in it
        return False


def _values(table: Table, row: int) -> dict[str, Any]:
    """The cells of a row that are plain: texts, numbers, truth values, lists of texts."""
    cells = {name: table.frame[name].iloc[row] for name in table.frame.columns}
    cells = {name: cell.item() if isinstance(cell, np.generic) else cell for name, cell in cells.items()}
    return {n: c for n, c in cells.items() if isinstance(c, str | int | float | bool | list) and not missing(c)}


def _shown(query: Any) -> str:
    return str(query) if isinstance(query, str | Path | Mapping) else f"({type(query).__name__})"


def search(
    of: Run | Model | str | Path,
    table: Any,
    query: Any,
    *,
    input: str | None = None,
    by: str | None = None,
    top: int = 10,
    exact: bool | None = None,
) -> Found:
    """The rows of a table that are nearest to words, a picture, a sound; `Gallery` answers many queries.

    Args:
        of: a run, a model, or the path of one, trained to bring inputs together (`auxiliary={"infonce": 1}`).
        table: as `Run.adapt` takes it; it needs no target.
        query: words, the path of a file, or a row as a dict with the columns of one input.
        input: which input the query is; None: words are the first text, a file the first input of its kind.
        by: the input that rows are found by; None: the first other one that some row has.
        top: how many rows, if there are as many.
        exact: whether every row is compared; None: up to a hundred thousand, and beyond through an index.

    Raises:
        UsageError: if what is given does not go together.
        DataError: if something cannot be read.
    """
    of = of if isinstance(of, Run | Model) else load(of)
    return gallery_for(of, table, query, input, by, exact).search(query, input, top)
