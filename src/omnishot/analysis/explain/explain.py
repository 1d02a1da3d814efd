"""Explain a run or a model, from what is on disk to the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnishot.analysis.explain import explanation, finding, page
from omnishot.analysis.explain.explanation import Explanation
from omnishot.errors import UsageError
from omnishot.runs.load import load
from omnishot.runs.model import Model
from omnishot.runs.run import Run


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
    for name, number in (("rows", rows), ("ways", ways)):
        if number is not None and number < 1:
            raise UsageError(f"{name} must be at least 1, not {number}")
    found = explanation.explain(
        finding.find(of if isinstance(of, Run | Model) else load(of), table, support, seed=seed, ways=ways)
    )
    if out is not None:
        page.write(found, out, rows)
    return found
