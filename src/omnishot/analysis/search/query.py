"""Queries of a search: which input a query is, and its embedding."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from omnishot.episodes.decoding import decode_table
from omnishot.errors import DataError, UsageError, choose
from omnishot.evaluation.embeddings import unit_vectors
from omnishot.learners.base import Params
from omnishot.runs.model import Model
from omnishot.runs.run import Run
from omnishot.table.cells import media_kind
from omnishot.table.reading import read_rows


def query_input(query: Any, model: Run | Model, name: str | None = None) -> str:
    """The name of the input that a query is a cell of.

    Args:
        name: None: the column of a row; the first input of its kind for a file; the first text for words.

    Raises:
        UsageError: if no input has the kind of the query, or `name` is not an input.
        DataError: if the query is a path, or looks like one, and there is no such file.
    """
    modalities = model.learner.network.modalities
    if name is not None:
        return choose("input", name, modalities)
    if isinstance(query, Mapping):
        columns = {column: name for name, (_, own) in model.schema.inputs().items() for column in own}
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
        reason = f"is {kind}, which no input is" if kind else "has an unknown kind"
        raise UsageError(
            f"the query {query_text(query)!r} {reason}: name its input (input=…, --input); known: {inputs}"
        )
    return name


def embed_query(query: Any, model: Run | Model, name: str) -> np.ndarray:
    """The unit-length embedding of a query as a cell of the input `name`, `[1, dim]`.

    Raises:
        UsageError: if the input has several columns and the query is not a row.
        DataError: if the query cannot be read.
    """
    modality, columns = model.learner.network.modalities[name], model.schema.inputs()[name][1]
    row, folder = query, "."
    if not isinstance(query, Mapping):
        if len(columns) > 1 or modality.cell_kind == "tabular":
            cells = ", ".join(f'"{column}": …' for column in columns)
            raise UsageError(f"the input {name!r} has several columns: give the query as a row, {{{cells}}}")
        row = {columns[0]: query}
        if modality.media and isinstance(query, str | Path):
            path = Path(os.path.abspath(query))
            row, folder = {columns[0]: path.name}, str(path.parent)
    store, bad = decode_table(read_rows([row], model.schema, folder=folder), {name: modality})
    if bad or not store.present.any():
        reason = bad[0].reason if bad else "it is empty"
        raise DataError(f"the query {query_text(query)!r} cannot be read as {name}: {reason}")
    return unit_vectors(model.learner, embedding_params(model), store, name, np.arange(1))


def embedding_params(model: Run | Model) -> Params:
    """The parameters that embed the rows: of a model those adapted to its task."""
    params = model.learner.params()
    return model.learner.adapted(params, model.state) if isinstance(model, Model) else params


def query_text(query: Any) -> str:
    """A query as text for messages."""
    return str(query) if isinstance(query, str | Path | Mapping) else f"({type(query).__name__})"


def _is_file(query: str | Path) -> bool:
    try:
        return Path(query).is_file()
    except (OSError, ValueError):  # too long for a file name, or with a null character
        return False
