"""Functions that open what is on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnishot.errors import DataError, UsageError
from omnishot.evaluation import Evaluation
from omnishot.insight.explanation import Explanation
from omnishot.model import Model
from omnishot.run import Run

if TYPE_CHECKING:
    from omnishot.searching import Found


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


def search(
    of: Run | Model | str | Path,
    table: Any,
    query: Any,
    *,
    input: str | None = None,
    by: str | None = None,
    top: int = 10,
    exact: bool | None = None,
) -> Found:
    """The rows of a table that are nearest to words, a picture, a sound; `Gallery` answers many queries.

    Args:
        of: a run, a model, or the path of one, trained to bring inputs together (`auxiliary={"infonce": 1}`).
        table: as `Run.adapt` takes it; it needs no target.
        query: words, the path of a file, or a row as a dict with the columns of one input.
        input: which input the query is; None: words are the first text, a file the first input of its kind.
        by: the input that rows are found by; None: the first other one that some row has.
        top: how many rows, if there are as many.
        exact: whether every row is compared; None: up to a hundred thousand, and beyond through an index.

    Raises:
        UsageError: if what is given does not go together.
        DataError: if something cannot be read.
    """
    from omnishot.searching import gallery_for

    of = of if isinstance(of, Run | Model) else load(of)
    return gallery_for(of, table, query, input, by, exact).search(query, input, top)


def explain(
    of: Run | Model | str | Path,
    table: Any = None,
    *,
    support: Any = None,
    rows: int = 6,
    seed: int = 0,
    ways: int | None = None,
    out: str | Path | None = None,
) -> Explanation:
    """Why a run or a model answers as it does: what moved each answer, and what learning the task changed.

    A run without a table is explained by a task drawn from the validation part of its own (from the test part if there
    is none); with a table by learning its labelled rows and answering the others, or by a task drawn from it if all
    are labelled. A model answers the rows of the table; it does not hold the rows that it was adapted to, so the
    nearest of them are known only if they are given as `support`.

    Args:
        of: a run, a model, or the path of one.
        table: as `Run.adapt` takes it.
        support: labelled rows to learn from, or that the model was adapted to.
        rows: how many query rows the page shows one by one.
        seed: of the task, where one is drawn.
        ways: its classes, as in training unless said.
        out: where to write the page; None: nowhere.

    Raises:
        UsageError: if what is given does not go together, or a column is not one of the run's.
        DataError: if something cannot be read, or there are too few rows.
    """
    from omnishot.insight import explanation, finding

    for name, number in (("rows", rows), ("ways", ways)):
        if number is not None and number < 1:
            raise UsageError(f"{name} must be at least 1, not {number}")
    found = explanation.explain(
        finding.find(of if isinstance(of, Run | Model) else load(of), table, support, seed=seed, ways=ways)
    )
    if out is not None:
        from omnishot.report import explained

        explained.write(found, out, rows)
    return found
