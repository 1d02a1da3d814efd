"""Looking through a whole table before anything is learned from it."""

from __future__ import annotations

import numpy as np

from omnishot.errors import DataError, OmnishotError, UsageError
from omnishot.experiment.dataset import EVERY, look_through, no_inputs
from omnishot.modality import Modality, modality_class
from omnishot.modality.inputs import fit_input
from omnishot.table.checking import BadCell, check
from omnishot.table.describing import Report, describe
from omnishot.table.splits import assign
from omnishot.table.table import Table, open_cell


def examine(table: Table, *, seed: int = 0, progress: bool = False) -> Report:
    """What was understood of a table, every bad cell, and what else would keep it from being learned.

    Inputs are fitted on the rows that training with this seed would learn from, or where there is no telling on
    all rows. What is decoded stays in the cache for the training.
    """
    problems: list[str] = []
    parts = None
    if table.schema.target is not None:
        try:
            parts = assign(table, seed)
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
    found = look_through(table, modalities, progress)[1]
    # Rows without any input are told of only if every input could be looked at.
    complete = len(modalities) == len(table.schema.inputs())
    bad += [cell for cell in found if cell.column != EVERY or complete]
    return describe(table, parts, sorted(bad, key=lambda cell: cell.row), problems)


def _unreadable(table: Table, name: str) -> list[BadCell]:
    """Why each cell of an input cannot be read, where not one of the training rows' could."""
    kind, columns = table.schema.inputs()[name]
    found = []
    for row in np.flatnonzero(table.frame[columns[0]].notna()).tolist() if modality_class(kind).media else ():
        try:
            modality_class(kind).fit([open_cell(table.frame[name][row], table.folder)])
        except ValueError as error:
            found.append(BadCell(row, name, str(error.__cause__ or error), table.row_number(row)))
    return found
