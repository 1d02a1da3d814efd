"""Learners and fusions side by side: each meta-trained and evaluated under one budget, on the same test tasks."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from omnishot.analysis.comparison.grid import differences, options_of, resolved, several
from omnishot.analysis.comparison.leaderboard import NAME, Cell, Comparison
from omnishot.analysis.comparison.page import write
from omnishot.core.distributed import join
from omnishot.core.storage import write_json
from omnishot.episodes.loader import Loader
from omnishot.errors import DataError, OmnishotError, UsageError
from omnishot.evaluation.format import duration, interval
from omnishot.experiment.config import Config, from_options, read_toml
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.network import EARLY
from omnishot.table.reading import read_table
from omnishot.table.schema import Column
from omnishot.table.splits import assign
from omnishot.table.table import Table
from omnishot.training.budget import Budget, measure
from omnishot.training.loop import Interrupted
from omnishot.training.train import TABLE_OPTIONS, train


def compare(
    table: Any,
    /,
    *,
    out: str | Path,
    learners: Sequence[str],
    fusions: Sequence[str] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    episodes: int = 600,
    subsets: bool = False,
    resume: bool = False,
    config: str | Path | None = None,
    progress: bool = False,
    **options: Any,
) -> Comparison:
    """Meta-train every learner with every fusion under one budget, and evaluate all on the same test tasks.

    Each cell of the grid is a run in a folder of its own, `OUT/LEARNER+FUSION`, selected on validation tasks; the
    test part is read once a cell, at its end. A cell that fails is recorded with its reason, and the others go on.
    `OUT` also gets `comparison.json`, `comparison.html`, and the plot as `comparison.png` and `comparison.svg`.

    For a budget of `minutes` the steps that fit are settled first, by a short timed trial, and written into the run's
    config: a cell is trained to the end of its schedule, and can be resumed bit for bit. Learners that are not
    meta-trained spend nothing.

    Args:
        table: whatever `read_table` reads.
        out: a new or empty folder, unless `resume`.
        learners: by name; `["all"]`: every one there is.
        fusions: by name; None: the one of `Config`. A single input has none.
        minutes, steps: the budget of each cell, one of the two; minutes count validation in, too.
        episodes: test tasks.
        subsets: also evaluate each input alone and with half of all cells missing.
        resume: go on with the comparison in `out`: cells that are done stay, one cut off continues, one that failed
            is tried again.
        config: a TOML file of options; `options` count before it.
        progress: show progress on stderr.
        options: of the table and of every training, as `omnishot.training.train.train` takes them; of one learner by its
            name: `maml={"inner_steps": 1}`.

    Raises:
        UsageError: for an option that not all learners have and that is not said for one, a learner or fusion that
            does not exist, or other options than the comparison to resume began with.
        DataError: if the table cannot be read, or is another than the comparison to resume began with.
        Interrupted: when training is stopped; says how to go on.
    """
    if join().world > 1:
        raise UsageError("compare is one process's work: leave torchrun out, or train cells one by one with it")
    if episodes < 2:
        raise UsageError(f"episodes must be at least 2 to give an interval, not {episodes}")
    folder, budget = Path(out), Budget(minutes, steps)
    said = {**(read_toml(config) if config else {}), **options}
    told = {name: said.pop(name) for name in TABLE_OPTIONS if name in said}
    read = read_table(table, **told)
    on_disk = isinstance(table, str | Path)
    kinds = {name: kind for name, (kind, _) in read.schema.inputs().items()}
    chosen = LEARNERS.names() if list(learners) == ["all"] else several("learner", learners, LEARNERS.names())
    fused = several("fusion", fusions or [Config.fusion], FUSIONS.names())
    remarks = []
    if len(kinds) == 1 and fusions:
        remarks = [f"there is nothing to fuse in a single input, {next(iter(kinds))}: every learner is trained once"]
    wanted = {learner: options_of(learner, chosen, said, kinds) for learner in chosen}
    configs: dict[str, Config] = {}
    for learner, own in wanted.items():
        for fusion in reversed(fused):  # what is said of the fusion is said of all
            place = {"learner": learner, **_fused_by(fusion, own, fusions)}
            configs[learner] = from_options(place | own, kinds)
    data, data_options = (table, told) if on_disk else (_parted(read, next(iter(configs.values())).seed), {})
    asked: dict[str, Any] = {
        "table": read.fingerprint,
        "schema": read.schema.to_json(),
        "learners": chosen,
        "fusions": fused if len(kinds) > 1 else [],
        "budget": vars(budget),
        "episodes": episodes,
        "subsets": subsets,
        "options": {learner: resolved(own) for learner, own in configs.items()},
    }
    pairs = ((learner, fusion) for learner in chosen for fusion in (asked["fusions"] or [None]))
    cells = {cell.name: cell for cell in (Cell(*pair) for pair in pairs)}
    if resume:
        cells |= {cell.name: cell for cell in _begun(folder, asked).cells}
    elif folder.exists() and any(folder.iterdir()):
        hint = "go on with it (resume, --resume), or " if (folder / NAME).exists() else ""
        raise UsageError(f"{folder} is not empty: {hint}give another folder")
    console = Console(stderr=True, quiet=not progress, highlight=False)
    for remark in remarks:
        console.print(remark)

    def keep(cell: Cell) -> Comparison:
        cells[cell.name] = cell
        found = Comparison(folder, budget, asked, tuple(cells.values()), tuple(remarks))
        write_json(folder / NAME, found.to_json())
        return found

    found = keep(next(iter(cells.values())))
    for i, cell in enumerate(list(cells.values()), 1):
        if cell.figures:
            continue
        console.print(f"[bold]{i} of {len(cells)}[/] {cell.name}")
        own = {**data_options, **wanted[cell.learner], "learner": cell.learner}
        own |= _fused_by(cell.fusion, own, fusions)
        own |= {"steps": budget.steps} if budget.steps else {}
        test = {"episodes": episodes, "subsets": subsets}
        cell = _run(cell, data, folder / cell.name, own, test, budget, keep, progress)
        found = keep(cell)
        console.print(f"  {_told(cell)}", markup=False)
    write(found)
    return found


def _fused_by(fusion: str | None, own: Mapping[str, Any], said: Sequence[str] | None) -> dict[str, str]:
    """What a training is told of its fusion; unless one is asked for, there is none at level `early`."""
    return {"fusion": fusion} if fusion and (said or own.get("level") != EARLY) else {}


def _run(
    cell: Cell,
    table: Any,
    folder: Path,
    options: Mapping[str, Any],
    test: Mapping[str, Any],
    budget: Budget,
    keep: Callable[[Cell], object],
    progress: bool,
) -> Cell:
    """Train and evaluate one cell, or go on with it; what it came to, also if it failed.

    Args:
        options, test: what `train` and `Run.evaluate` are told.
        keep: notes what was planned before training begins.
    """
    cell = dataclasses.replace(cell, error=None)

    def settle(learner: Learner, training: Loader, val: Loader | None, config: Config) -> Config:
        nonlocal cell
        if budget.minutes is None or not learner.meta_trained:
            return config
        pace = measure(learner, training, val, config, 60 * budget.minutes)
        steps, every = pace.fit(60 * budget.minutes, config.val_every)
        cell = dataclasses.replace(cell, planned_seconds=pace.seconds(steps, every))
        keep(cell)
        return dataclasses.replace(config, steps=steps, val_every=every, plan=pace.plan)

    try:
        if (folder / "config.toml").exists():
            run = train(table, out=folder, resume=True, progress=progress)
        else:
            run = train(table, out=folder, progress=progress, settle=settle, **options)
        found = run.evaluate(None if isinstance(table, str | Path) else table, progress=progress, **test)
        if not math.isfinite(found.mean):
            raise DataError(f"{found.figures[0].metric} is {found.mean}")
    except Interrupted:
        raise Interrupted(
            f"stopped within {cell.name}; to go on, repeat the command with --resume (or om.compare(…, resume=True))"
        ) from None
    except OmnishotError as error:
        return dataclasses.replace(cell, error=str(error))
    summary = run.summary()
    return dataclasses.replace(
        cell,
        figures=found.figures,
        steps=summary["step"],
        seconds=summary["seconds"],
        parameters=sum(p.numel() for p in run.learner.parameters()),
    )


def _told(cell: Cell) -> str:
    """How a cell ended, in a line."""
    if cell.error is not None:
        return f"failed: {cell.error}"
    return f"{interval(cell.figures[0])}, {cell.steps:,} steps in {duration(cell.seconds or 0)}"


def _parted(table: Table, seed: int) -> Table:
    """A table in memory with a column that says the part of each row: a run cannot read it again to deal anew."""
    if table.schema.split is not None:
        return table
    name = "split"
    while name in table.frame:
        name = f"_{name}"
    parts = assign(table, seed)
    # A row without a class is in no part: wherever it stands, it is found bad as in any training.
    cells = np.where(parts == "", "train", parts)
    schema = dataclasses.replace(table.schema, columns=(*table.schema.columns, Column(name, "split")))
    return dataclasses.replace(table, frame=table.frame.assign(**{name: cells}), schema=schema)


def _begun(folder: Path, asked: Mapping[str, Any]) -> Comparison:
    """The comparison in a folder, if it was asked for as it is now.

    Raises:
        DataError: if there is none, or its table was another.
        UsageError: if its options were others.
    """
    if not (folder / NAME).exists():
        raise DataError(f"{folder} holds no comparison to resume: leave --resume out to begin one")
    begun = Comparison.load(folder)
    now = json.loads(json.dumps(asked))
    if begun.asked["table"] != now["table"]:
        raise DataError(f"the table is not the one that the comparison in {folder} began with: it cannot be resumed")
    for name, before, value in differences(begun.asked, now):
        raise UsageError(
            f"the comparison in {folder} has {name} {before!r}, not {value!r}: a resumed one keeps its options"
        )
    return begun
