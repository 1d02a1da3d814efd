"""Search for rows of a table by words, a picture, a sound or any other input, by the cosine of embeddings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omnishot.analysis.search.nearest import Nearest
from omnishot.analysis.search.query import embed_query, embedding_params, query_input, query_text
from omnishot.episodes.decoding import decode_table
from omnishot.errors import DataError, UsageError, choose
from omnishot.evaluation.embeddings import unit_vectors
from omnishot.runs.load import load
from omnishot.runs.model import Model
from omnishot.runs.run import Run
from omnishot.table.cells import missing
from omnishot.table.reading import read_rows
from omnishot.table.table import Table


@dataclass(frozen=True)
class Hit:
    """A row of the result: its number (`Table.row_number`), its cosine to the query, and its plain values."""

    row: int
    similarity: float
    values: dict[str, Any]


@dataclass(frozen=True)
class SearchResult:
    """The rows nearest to a query, nearest first.

    Args:
        query: as text.
        input: the input that the query is.
        by: the input that the rows were compared by.
        rows: how many rows have that input.
        exact: whether the query was compared with all of them.
    """

    query: str
    input: str
    by: str
    rows: int
    exact: bool
    hits: tuple[Hit, ...]

    def to_json(self) -> dict[str, Any]:
        """The result as plain values."""
        return dataclasses.asdict(self) | {"hits": [dataclasses.asdict(hit) for hit in self.hits]}

    def __str__(self) -> str:
        lines = [f"{self.query}: {self.input} → {self.by}, of {self.rows:,} rows"]
        for hit in self.hits:
            values = ", ".join(f"{name}: {value}" for name, value in hit.values.items())
            lines.append(f"{hit.similarity:7.4f}  row {hit.row}  {values}")
        return "\n".join(lines)


class Gallery:
    """Rows of a table, embedded once, to be searched by one of their inputs.

    A query is compared with the rows by the cosine of their embeddings. Embeddings of different inputs are comparable
    if training aligned them (`--auxiliary infonce=1` or `sigmoid=1`; the learner `cca` does nothing else).

    Args:
        model: a run, or a model, which embeds with its adapted parameters.
        table: as `Run.adapt` takes it; it needs no target.
        by: the input that rows are compared by.
        exact: whether a query is compared with every row; None: up to a hundred thousand rows
            (`omnishot.analysis.search.nearest`).
        progress: show progress on stderr.

    Raises:
        UsageError: if there is no such input, or the learner has no embeddings.
        DataError: if the table cannot be read, or no row has the input.
    """

    def __init__(self, model: Run | Model, table: Any, by: str, *, exact: bool | None = None, progress: bool = False):
        modalities = model.learner.network.modalities
        self.model, self.by = model, choose("input", by, modalities)
        self.table = read_rows(table, model.schema)
        store, self.bad = decode_table(self.table, {by: modalities[by]}, cached=True, progress=progress)
        self.rows = np.flatnonzero(store.present[:, 0])
        if not len(self.rows):
            why = f" ({self.bad[0]})" if self.bad else ""
            raise DataError(f"{self.table.name}: no row has the input {by!r}{why}: give rows that have, or another one")
        self.nearest = Nearest(unit_vectors(model.learner, embedding_params(model), store, by, self.rows), exact)

    def search(self, query: Any, input: str | None = None, top: int = 10) -> SearchResult:
        """The rows that are nearest to a query.

        Args:
            query: words; the path of a picture, sound or other file; any other cell of the input; or a row as a dict
                with the columns of one input.
            input: which input the query is; None: the first text for words, the first input of its kind for a file.
            top: how many rows, if there are as many.

        Raises:
            UsageError: if no input has the kind of the query.
            DataError: if the query cannot be read.
        """
        if top < 1:
            raise UsageError(f"top must be at least 1, not {top}")
        name = query_input(query, self.model, input)
        similarity, nearest = self.nearest.find(embed_query(query, self.model, name), top)
        hits = tuple(
            Hit(self.table.row_number(self.rows[i]), round(float(s), 6), _values(self.table, self.rows[i]))
            for s, i in zip(similarity[0], nearest[0], strict=True)
            if i >= 0
        )
        return SearchResult(query_text(query), name, self.by, len(self.rows), self.nearest.exact, hits)


def gallery_for(
    model: Run | Model,
    table: Any,
    query: Any,
    input: str | None = None,
    by: str | None = None,
    exact: bool | None = None,
    progress: bool = False,
) -> Gallery:
    """A gallery of a table for a query.

    Args:
        by: None: the first input other than the query's that some row has; without one, the query's own.
    """
    name, rows = query_input(query, model, input), read_rows(table, model.schema)
    if by is None:
        inputs, frame = model.schema.inputs(), rows.frame
        present = [n for n, (_, columns) in inputs.items() if not frame[list(columns)].isna().all(axis=None)]
        by = next((n for n in model.learner.network.names if n in present and n != name), name)
    return Gallery(model, rows, by, exact=exact, progress=progress)


def search(
    model: Run | Model | str | Path,
    table: Any,
    query: Any,
    *,
    input: str | None = None,
    by: str | None = None,
    top: int = 10,
    exact: bool | None = None,
) -> SearchResult:
    """The rows of a table that are nearest to words, a picture or a sound; for many queries use `Gallery`.

    Args:
        model: a run, a model, or the path of one, trained to align its inputs (`auxiliary={"infonce": 1}`).
        table: as `Run.adapt` takes it; it needs no target.
        query: words, the path of a file, or a row as a dict with the columns of one input.
        input: which input the query is; None: the first text for words, the first input of its kind for a file.
        by: the input that rows are compared by; None: the first other one that some row has.
        top: how many rows, if there are as many.
        exact: whether every row is compared; None: up to a hundred thousand rows, an index beyond.

    Raises:
        UsageError: for an unknown input or column, or a query that no input can be.
        DataError: if the table or the query cannot be read.
    """
    model = model if isinstance(model, Run | Model) else load(model)
    return gallery_for(model, table, query, input, by, exact).search(query, input, top)


def _values(table: Table, row: int) -> dict[str, Any]:
    """The plain cells of a row: texts, numbers, booleans, lists of texts."""
    cells = {name: table.frame[name].iloc[row] for name in table.frame.columns}
    cells = {name: cell.item() if isinstance(cell, np.generic) else cell for name, cell in cells.items()}
    return {n: c for n, c in cells.items() if isinstance(c, str | int | float | bool | list) and not missing(c)}
