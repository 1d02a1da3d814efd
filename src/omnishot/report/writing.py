"""From a run to its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omnishot.core.storage import write_atomic
from omnishot.episodes.loader import least
from omnishot.errors import DataError
from omnishot.evaluation.figure import Figure
from omnishot.experiment.dataset import Dataset
from omnishot.html import markup
from omnishot.html.page import Section, page
from omnishot.report import charts, sections
from omnishot.report.curves import opened, stored
from omnishot.runs.run import Run


def write(
    run: Run | str | Path,
    out: str | Path | None = None,
    extra: Sequence[Section] = (),
    title: str | None = None,
    ways: int | None = None,
) -> Path:
    """Write the report of a run: one HTML file that needs nothing else.

    It shows the figures that `Run.evaluate` and `omnishot.report.curves` have left in the run's folder.

    Args:
        run: a run or its folder.
        out: where to; None: `report.html` in the run's folder.
        extra: further sections, shown first.
        title: None: the folder's name.
        ways: classes of the sample task; as in training unless said.

    Raises:
        DataError: if the folder is no whole run, or the file cannot be written.
    """
    run = opened(run)
    path = Path(out) if out is not None else run.folder / "report.html"
    groups = by_protocol(run)
    data, why = _data(run)
    shown = [
        *extra,
        sections.about_run(run, data),
        *(
            [Section("A task as you would look at it", markup.note(why))]
            if data is None
            else sections.tasks(run, data, ways)
        ),
        sections.scores(groups) if groups else None,
        charts.learning(run),
        charts.measured(stored(run), run.learner.steps),
    ]
    title = title or run.folder.resolve().name
    write_atomic(path, page(title, sections.headline(run, groups), [section for section in shown if section]))
    return path


def by_protocol(run: Run) -> list[list[Figure]]:
    """The run's figures by protocol: tasks shaped as in training first, then those of most episodes.

    Within one protocol the figure that counts comes first: the objective's metric with every input as it is.
    """
    shape = (least(run.record.ways), least(run.record.shots))
    groups: dict[tuple, list[Figure]] = {}
    for f in run.figures():
        key = (f.episodes, f.seed, f.split, f.ways, f.shots, f.queries, f.gallery, f.transductive)
        groups.setdefault(key, []).append(f)
    inputs, metric = len(run.learner.network.modalities), run.learner.objective.metric

    def spoiled(f: Figure) -> tuple[bool, bool, bool]:
        changed = f.corruption.changes_cells
        return (f.metric != metric, changed, len(f.modalities) != inputs)

    ordered = [sorted(group, key=spoiled) for group in groups.values()]
    return sorted(ordered, key=lambda g: (g[0].split != "test", (g[0].ways, g[0].shots) != shape, -g[0].episodes))


def _data(run: Run) -> tuple[Dataset | None, str]:
    """The run's table, or why it is not at hand: a report can do without."""
    try:
        return run.dataset(), ""
    except DataError as error:
        return None, f"No task can be shown. {error}"
