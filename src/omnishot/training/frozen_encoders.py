"""Inputs whose encoder comes from an earlier run and is not trained further."""

from __future__ import annotations

import copy
from pathlib import Path

from omnishot.errors import DataError, UsageError
from omnishot.experiment.config import Config
from omnishot.experiment.options import frozen_from, split_input_options
from omnishot.modality.features import Features, freeze, joined
from omnishot.modality.inputs import columns_of
from omnishot.runs.record import RunRecord
from omnishot.runs.run import Run
from omnishot.table.schema import Schema


def freeze_inputs(config: Config, schema: Schema) -> dict[str, Features]:
    """The inputs of a table for which the config gives `frozen`, by name, with the encoders of those runs.

    Raises:
        DataError: if an earlier run does not exist, or is damaged.
        UsageError: if it has no encoder to freeze for an input.
    """
    runs: dict[str, Run] = {}
    frozen = {}
    for name, (kind, columns) in schema.inputs().items():
        folder = frozen_from(config, name, kind)
        if folder is not None:
            if folder not in runs:
                runs[folder] = _open(folder, name)
            frozen[name] = _freeze_input(runs[folder], name, kind, columns)
    return frozen


def frozen_trained_on(config: Config, schema: Schema) -> dict[str, tuple[str, ...]]:
    """What the encoders that `freeze_inputs` would freeze were trained on: sorted names by column.

    Raises:
        DataError: if an earlier run does not exist, or is damaged.
    """
    folders = {frozen_from(config, name, kind) for name, (kind, _) in schema.inputs().items()}
    records = [RunRecord.read(Path(folder).expanduser()) for folder in sorted(filter(None, folders))]
    return joined(record.encoders_trained_on for record in records)


def _open(folder: str, name: str) -> Run:
    try:
        return Run.load(Path(folder).expanduser())
    except DataError as error:
        raise DataError(f"input {name!r} cannot have a frozen encoder: {error}") from error


def _freeze_input(run: Run, name: str, kind: str, columns: tuple[str, ...]) -> Features:
    """The features of one input by the run's input of the same name and kind, else by its only input of the kind."""
    network = run.learner.network
    same = [n for n, m in network.modalities.items() if m.cell_kind == kind]
    if name not in same and len(same) != 1:
        has = ", ".join(f"{n} ({m.cell_kind})" for n, m in network.modalities.items())
        raise UsageError(
            f"the run in {run.folder} has {'several inputs' if same else 'no input'} of kind {kind!r} to freeze for "
            f"{name!r}: it has {has}"
        )
    chosen = name if name in same else same[0]
    of, module = network.modalities[chosen], network.encoder(network.names.index(chosen))
    if isinstance(of, Features):
        raise UsageError(
            f"{chosen!r} of the run in {run.folder} is frozen itself: name the run that learned its encoder"
        )
    if module.transductive:
        raise UsageError(
            f"the encoder of {chosen!r} in {run.folder} is transductive, so that a cell's features depend on the other "
            "cells: it cannot be frozen"
        )
    if kind == "tabular" and set(columns_of(chosen, of)) != set(columns):
        raise UsageError(
            f"the run in {run.folder} has the columns {', '.join(columns_of(chosen, of))} as {name!r}, not "
            f"{', '.join(columns)}: its encoder cannot be frozen for them"
        )
    encoder, _, options = split_input_options(run.config, chosen, kind)
    return freeze(of, copy.deepcopy(module).cpu(), encoder, options, run.record.encoders_trained_on)
