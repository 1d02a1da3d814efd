"""The options of a training: given by the user, chosen for the objective, or kept from the run to resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnishot.errors import DataError, UsageError
from omnishot.experiment.config import OF_FUSION, Config
from omnishot.experiment.objective import objective_class
from omnishot.experiment.options import from_options, read_toml
from omnishot.nn.network import EARLY
from omnishot.runs.record import RunRecord
from omnishot.table.schema import Schema
from omnishot.table.table import Table

#: Options of `read_table`; every other option is one of `Config`.
TABLE_OPTIONS = ("target", "group", "modality", "inputs", "split", "objective")


def given_options(
    folder: Path, resume: bool, config: str | Path | None, options: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the table and of the training: those given, or those of the run to resume.

    Args:
        config: a TOML file of options; `options` take precedence.

    Raises:
        DataError: if there is no run to resume, or the file cannot be read.
        UsageError: if the folder holds a run that is not to be resumed, or options differ from those of the run.
    """
    given = {**(read_toml(config) if config else {}), **options}
    holds_run = (folder / "config.toml").exists()
    if resume and not holds_run:
        raise DataError(f"{folder} holds no run to resume: leave --resume out to begin one")
    if holds_run and not resume:
        raise UsageError(f"{folder} already holds a run: go on with it (resume, --resume), or choose another folder")
    table = {name: value for name, value in given.items() if name in TABLE_OPTIONS}
    training = {name: value for name, value in given.items() if name not in TABLE_OPTIONS}
    return _of_run(folder, table, training) if resume else (table, training)


def resolved(schema: Schema, training: Mapping[str, Any]) -> Config:
    """The config of a training on a table with this schema; options that are not given are the objective's defaults.

    Raises:
        UsageError: as `from_options` does.
    """
    objective = objective_class(schema)
    defaults = dict(objective.defaults)
    if training.get("level") == EARLY:
        defaults = {name: value for name, value in defaults.items() if name not in OF_FUSION}
    return from_options({**defaults, **training}, input_kinds(schema), objective)


def input_kinds(schema: Schema) -> dict[str, str]:
    """The kind of each input, by name."""
    return {name: kind for name, (kind, _) in schema.inputs().items()}


def _of_run(
    folder: Path, table: Mapping[str, Any], training: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of the run in a folder. Given options of the training must be equal to them; those of the table
    replace them, and are compared once the table has been read (`check_same_table`).
    """
    record = RunRecord.read(folder)
    own, schema = dict(record.config), record.schema
    again = from_options(
        {"learner": own["learner"], **training}, input_kinds(schema), objective_class(schema)
    ).to_options()
    for name in {name.rpartition(".")[0] or name for name in training}:
        value = again.get(name)
        same = value.items() <= own.get(name, {}).items() if isinstance(value, dict) else value == own.get(name)
        if not same:
            raise UsageError(
                f"the run in {folder} has {name} {own.get(name)!r}, not {value!r}: a resumed run keeps its options"
            )
    modality = {c.name: c.modality or "note" for c in schema.columns if c.role in ("input", "note")}
    before = {
        "target": list(schema.targets),
        "group": schema.group,
        "objective": schema.objective,
        "split": schema.split,
    }
    return before | dict(table) | {"modality": modality | dict(table.get("modality") or {})}, own


def check_same_table(folder: Path, table: Table) -> None:
    """Check that a table is the one that the run in a folder was started with.

    Raises:
        DataError: if its cells have changed.
        UsageError: if the columns are of other kinds or roles.
    """
    record = RunRecord.read(folder)
    if record.fingerprint != table.fingerprint:
        raise DataError(f"the table has changed since the run in {folder} began: it cannot be resumed")
    if record.schema != table.schema:
        before = record.schema.columns
        changed = [now.name for now in table.schema.columns if now not in before] or ["the target"]
        raise UsageError(
            f"the run in {folder} began with other roles or kinds of {', '.join(changed)}: a resumed run keeps its "
            "options"
        )
