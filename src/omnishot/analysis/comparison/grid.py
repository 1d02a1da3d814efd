"""The grid of a comparison: its cells, the table, and the options of every training, checked before any begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omnishot.analysis.comparison.cell import Cell
from omnishot.analysis.comparison.options import choose_all, learner_options, settings
from omnishot.experiment.config import Config
from omnishot.experiment.objective import objective_class
from omnishot.experiment.options import from_options
from omnishot.learners import LEARNERS
from omnishot.modality.features import joined
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.network import EARLY
from omnishot.objectives.base import Objective
from omnishot.table.reading import read_table
from omnishot.table.schema import Column
from omnishot.table.splits import assign
from omnishot.table.table import Table
from omnishot.training.budget import Budget
from omnishot.training.frozen_encoders import frozen_trained_on
from omnishot.training.options import TABLE_OPTIONS


@dataclass(frozen=True)
class Grid:
    """What a comparison trains and evaluates.

    Args:
        table: what `train` reads: the path, or the table in memory with a column of splits.
        table_options: how to read it.
        cells: in the order given.
        options: of each learner's trainings, by learner.
        choose_fusions: whether fusions were given, rather than the default one taken.
        budget: of every cell.
        test: options of `Run.evaluate`.
        settings: all of this as plain values; a comparison is resumed only with the same ones.
        remarks: notes for the user.
    """

    table: Any
    table_options: Mapping[str, Any]
    cells: tuple[Cell, ...]
    options: Mapping[str, Mapping[str, Any]]
    choose_fusions: bool
    budget: Budget
    test: Mapping[str, Any]
    settings: Mapping[str, Any]
    remarks: tuple[str, ...]

    def training_options(self, cell: Cell) -> dict[str, Any]:
        """The options of `train` for one cell."""
        own = {**self.table_options, **self.options[cell.learner], "learner": cell.learner}
        own |= _fusion_option(cell.fusion, own, self.choose_fusions)
        return own | ({"steps": self.budget.steps} if self.budget.steps else {})


def plan_grid(
    table: Any,
    learners: Sequence[str],
    fusions: Sequence[str] | None,
    budget: Budget,
    test: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Grid:
    """Read the table and check the options of every learner.

    Args:
        options: of the table, of all learners, and by the name of a learner its own.

    Raises:
        UsageError: for an unknown learner, fusion or option.
        DataError: if the table cannot be read.
    """
    table_options = {name: options[name] for name in TABLE_OPTIONS if name in options}
    common = {name: value for name, value in options.items() if name not in TABLE_OPTIONS}
    read = read_table(table, **table_options)
    kinds = {name: kind for name, (kind, _) in read.schema.inputs().items()}
    learners = LEARNERS.names() if list(learners) == ["all"] else choose_all("learner", learners, LEARNERS.names())
    names = choose_all("fusion", fusions or [Config.fusion], FUSIONS.names())
    own = {learner: learner_options(learner, learners, common, kinds) for learner in learners}
    objective = objective_class(read.schema)
    configs = {learner: _config(learner, own[learner], names, bool(fusions), kinds, objective) for learner in learners}
    remarks = []
    cell_fusions: list[str | None] = [*names]
    if len(kinds) == 1:
        names, cell_fusions = [], [None]
        if fusions:
            remarks.append(
                f"there is nothing to fuse in a single input, {next(iter(kinds))}: every learner is trained once"
            )
    if not isinstance(table, str | Path):
        known = joined(frozen_trained_on(config, read.schema) for config in configs.values())
        column = read.schema.group or read.schema.target or ""
        split_seed = next(iter(configs.values())).split_seed
        table, table_options = _with_splits(read, split_seed, known.get(column, ())), {}
    return Grid(
        table=table,
        table_options=table_options,
        cells=tuple(Cell(learner, fusion) for learner in learners for fusion in cell_fusions),
        options=own,
        choose_fusions=bool(fusions),
        budget=budget,
        test=test,
        settings={
            "table": read.fingerprint,
            "schema": read.schema.to_json(),
            "learners": learners,
            "fusions": names,
            "budget": vars(budget),
            **test,
            "options": {learner: settings(config) for learner, config in configs.items()},
        },
        remarks=tuple(remarks),
    )


def _config(
    learner: str,
    options: Mapping[str, Any],
    fusions: Sequence[str],
    choose_fusions: bool,
    kinds: Mapping[str, str],
    objective: type[Objective],
) -> Config:
    """The config of a learner with the first fusion; the options must be valid with every fusion.

    Raises:
        UsageError: for an option that does not exist or does not fit.
    """
    configs = [
        from_options(
            {"learner": learner, **_fusion_option(fusion, options, choose_fusions), **options}, dict(kinds), objective
        )
        for fusion in fusions
    ]
    return configs[0]


def _fusion_option(fusion: str | None, options: Mapping[str, Any], choose_fusions: bool) -> dict[str, str]:
    """The option `fusion` of a training; none at level `early`, where nothing is fused, unless fusions were given."""
    return {"fusion": fusion} if fusion and (choose_fusions or options.get("level") != EARLY) else {}


def _with_splits(table: Table, seed: int, trained_on: Sequence[str]) -> Table:
    """A table in memory with a column that names the split of each row: a resumed run then assigns the same splits."""
    if table.schema.split is not None:
        return table
    name = "split"
    while name in table.frame:
        name = f"_{name}"
    parts = assign(table, seed, trained_on=trained_on)
    # A row without a class is in no split. Whichever it is given, training reports it as a bad row.
    cells = np.where(parts == "", "train", parts)
    schema = dataclasses.replace(table.schema, columns=(*table.schema.columns, Column(name, "split")))
    return dataclasses.replace(table, frame=table.frame.assign(**{name: cells}), schema=schema)
