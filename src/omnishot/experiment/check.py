"""Checks of a whole table before anything is learned from it."""

from __future__ import annotations

import numpy as np

from omnishot.errors import DataError, OmnishotError, UsageError
from omnishot.experiment.dataset import EVERY, look_through, no_inputs
from omnishot.modality import modality_class
from omnishot.modality.base import Modality
from omnishot.modality.inputs import fit_input
from omnishot.table.checking import BadCell, check
from omnishot.table.describing import Report, describe
from omnishot.table.splits import assign
from omnishot.table.table import Table, open_cell


def examine(table: Table, *, split_seed: int = 0, progress: bool = False) -> Report:
    """The roles and kinds of a table's columns, every bad cell, and all other problems that would prevent a training.

    Modalities are fitted on the training rows of this class split, or on all rows where those are not known. Decoded
    cells stay in the cache for the training.
    """
    problems: list[str] = []
    parts = None
    if table.schema.target is not None:
        try:
            parts = assign(table, split_seed)
        except OmnishotError as error:
            problems.append(str(error))
    training = np.arange(len(table)) if parts is None else np.flatnonzero(parts == "train")
    if not table.schema.inputs():
        return describe(table, parts, check(table, {}), [*problems, no_inputs(table)])
    modalities: dict[str, Modality] = {}
    bad: list[BadCell] = []
    for name in table.schema.inputs():
        try:
            modalities[name] = fit_input(table, name, training)
        except UsageError as error:
            problems.append(str(error))
        except DataError as error:
            problems.append(str(error))
            bad += _unreadable(table, name)
    bad_rows = look_through(table, modalities, progress)[1]
    # Rows without any input can only be listed if every input could be decoded.
    complete = len(modalities) == len(table.schema.inputs())
    bad += [cell for cell in bad_rows if cell.column != EVERY or complete]
    return describe(table, parts, sorted(bad, key=lambda cell: cell.row), problems)


def _unreadable(table: Table, name: str) -> list[BadCell]:
    """Why each cell of an input cannot be read, for an input of which no training row can."""
    kind, columns = table.schema.inputs()[name]
    bad = []
    for row in np.flatnonzero(table.frame[columns[0]].notna()).tolist() if modality_class(kind).media else ():
        try:
            modality_class(kind).fit([open_cell(table.frame[name][row], table.folder)])
        except ValueError as error:
            bad.append(BadCell(row, name, str(error.__cause__ or error), table.row_number(row)))
    return bad
