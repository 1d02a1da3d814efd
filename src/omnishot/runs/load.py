"""Functions that open what is on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnishot.errors import DataError
from omnishot.evaluation.figure import Evaluation
from omnishot.runs.model import Model
from omnishot.runs.run import Run


def load(path: str | Path) -> Run | Model:
    """Open a run folder or an `.omni` file.

    Raises:
        DataError: if it is neither, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        return Run.load(path)
    if not path.exists():
        raise DataError(f"{path} does not exist: give a run folder or an .omni file")
    return Model.load(path)


def evaluate(run: Run | str | Path, table: Any = None, **options: Any) -> Evaluation:
    """Evaluate a run, or the run in a folder; see `Run.evaluate`."""
    run = run if isinstance(run, Run) else Run.load(run)
    return run.evaluate(table, **options)
