"""Learners and fusions side by side: each meta-trained under one budget and evaluated on the same test tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from omnishot.analysis.comparison.cell import Cell, CellTraining
from omnishot.analysis.comparison.grid import Grid, plan_grid
from omnishot.analysis.comparison.leaderboard import NAME, Comparison
from omnishot.analysis.comparison.options import differences
from omnishot.analysis.comparison.page import write
from omnishot.core.distributed import join
from omnishot.core.storage import write_json
from omnishot.errors import DataError, UsageError
from omnishot.evaluation.format import duration, interval
from omnishot.experiment.options import read_toml
from omnishot.training.budget import Budget


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

    Each cell of the grid is a run in the folder `OUT/LEARNER+FUSION`, selected on validation tasks; its test split is
    read once, at the end. A cell that fails is recorded with its error, and the others go on. `OUT` also gets
    `comparison.json`, `comparison.html`, `comparison.png` and `comparison.svg`. For a budget of `minutes`, a short
    timed run settles the number of steps, which is written into the run's config.

    Args:
        table: whatever `read_table` reads.
        out: a new or empty folder, unless `resume`.
        learners: names; `["all"]` for every learner.
        fusions: names; None: the default of `Config`. A single input has none.
        minutes, steps: the budget of each cell, exactly one of them; minutes include validation.
        episodes: number of test tasks, at least 2.
        subsets: also evaluate each input alone, and with half of all cells missing.
        resume: continue the comparison in `out`: finished cells are kept, failed ones are tried again.
        config: a TOML file of options; `options` replace them.
        progress: show progress on stderr.
        options: of the table and of `omnishot.training.train.train`; of one learner by its name
            (`maml={"inner_steps": 1}`).

    Raises:
        UsageError: for invalid options, or others than those of the comparison to resume.
        DataError: if the table cannot be read, or is not the one of the comparison to resume.
        Interrupted: when training is stopped; the message says how to go on.
    """
    if join().world > 1:
        raise UsageError("compare runs in one process: leave torchrun out, or train the cells one by one with it")
    if episodes < 2:
        raise UsageError(f"episodes must be at least 2 to give an interval, not {episodes}")
    options = {**(read_toml(config) if config else {}), **options}
    test = {"episodes": episodes, "subsets": subsets}
    grid = plan_grid(table, learners, fusions, Budget(minutes, steps), test, options)
    return _train_cells(grid, Path(out), _first_cells(grid, Path(out), resume), progress)


def _first_cells(grid: Grid, folder: Path, resume: bool) -> dict[str, Cell]:
    """The cells by name, with the results of the comparison to resume.

    Raises:
        UsageError: if the folder is in use and not to be resumed.
        DataError, UsageError: as `_load_same`.
    """
    cells = {cell.name: cell for cell in grid.cells}
    if resume:
        return cells | {cell.name: cell for cell in _load_same(grid, folder).cells}
    if folder.exists() and any(folder.iterdir()):
        hint = "go on with it (resume, --resume), or " if (folder / NAME).exists() else ""
        raise UsageError(f"{folder} is not empty: {hint}give another folder")
    return cells


def _train_cells(grid: Grid, folder: Path, cells: dict[str, Cell], progress: bool) -> Comparison:
    """Train and evaluate every cell that has no figures yet; save the comparison after each; write the page."""
    console = Console(stderr=True, quiet=not progress, highlight=False)
    for remark in grid.remarks:
        console.print(remark)

    def save(cell: Cell) -> Comparison:
        cells[cell.name] = cell
        comparison = Comparison(folder, grid.budget, grid.settings, tuple(cells.values()), grid.remarks)
        write_json(folder / NAME, comparison.to_json())
        return comparison

    comparison = save(next(iter(cells.values())))
    for i, cell in enumerate(list(cells.values()), 1):
        if cell.figures:
            continue
        console.print(f"[bold]{i} of {len(cells)}[/] {cell.name}")
        training = CellTraining(cell, folder / cell.name, grid.budget, grid.test, save, progress)
        trained = training(grid.table, grid.training_options(cell))
        comparison = save(trained)
        console.print(f"  {_summary(trained)}", markup=False)
    write(comparison)
    return comparison


def _summary(cell: Cell) -> str:
    """The result of a cell in one line."""
    if cell.error is not None:
        return f"failed: {cell.error}"
    return f"{interval(cell.figures[0])}, {cell.steps:,} steps in {duration(cell.seconds or 0)}"


def _load_same(grid: Grid, folder: Path) -> Comparison:
    """The comparison in a folder, which must have the same settings as the grid.

    Raises:
        DataError: if there is none, or its table is another.
        UsageError: if its options are others.
    """
    if not (folder / NAME).exists():
        raise DataError(f"{folder} holds no comparison to resume: leave --resume out to begin one")
    saved = Comparison.load(folder)
    settings = json.loads(json.dumps(grid.settings))
    if saved.settings["table"] != settings["table"]:
        raise DataError(f"the table is not the one that the comparison in {folder} began with: it cannot be resumed")
    for name, before, value in differences(saved.settings, settings):
        raise UsageError(
            f"the comparison in {folder} has {name} {before!r}, not {value!r}: a resumed one keeps its options"
        )
    return saved
