"""Explain the predictions of a run or a model, and write the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnishot.analysis.explain import page
from omnishot.analysis.explain.explain_task import explain_task
from omnishot.analysis.explain.explanation import Explanation
from omnishot.analysis.explain.load_task import load_task
from omnishot.errors import UsageError
from omnishot.runs.load import load
from omnishot.runs.model import Model
from omnishot.runs.run import Run


def explain(
    model: Run | Model | str | Path,
    table: Any = None,
    *,
    support: Any = None,
    rows: int = 6,
    seed: int = 0,
    ways: int | None = None,
    out: str | Path | None = None,
) -> Explanation:
    """Explain the predictions of one task: what each input contributed to them, and what adaptation changed.

    The task of a run without a table is sampled from the validation split of its own table (test split if there is
    none). With a table, its labelled rows are the support rows and the others the query rows; if all are labelled, a
    task is sampled from them. A model predicts all rows of the table; it does not hold its support rows, so nearest
    support rows are known only if `support` gives them.

    Args:
        model: a run, a model, or the path of one.
        table: as `Run.adapt` takes it.
        support: labelled rows to adapt a run to, or those that a model was adapted to.
        rows: how many query rows the page shows one by one.
        seed: of a sampled task.
        ways: number of classes of a sampled task; None: as in training.
        out: path of the page; None: no page is written.

    Raises:
        UsageError: if the arguments do not fit together, or a column is not one of the run's.
        DataError: if something cannot be read, or there are too few rows.
    """
    for name, number in (("rows", rows), ("ways", ways)):
        if number is not None and number < 1:
            raise UsageError(f"{name} must be at least 1, not {number}")
    model = model if isinstance(model, Run | Model) else load(model)
    explanation = explain_task(load_task(model, table, support, seed=seed, ways=ways))
    if out is not None:
        page.write(explanation, out, rows)
    return explanation
