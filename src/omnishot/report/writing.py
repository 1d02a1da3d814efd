"""Write the report of a run."""

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
    """Write the report of a run: one self-contained HTML file.

    It shows the figures that `Run.evaluate` and `omnishot.report.curves` saved in the run's folder.

    Args:
        run: a run or its folder.
        out: path of the report; None: `report.html` in the run's folder.
        extra: further sections, shown first.
        title: None: the folder's name.
        ways: number of classes of the sample task; None: as in training.

    Raises:
        DataError: if the folder is not a complete run, or the file cannot be written.
    """
    run = opened(run)
    path = Path(out) if out is not None else run.folder / "report.html"
    groups = by_protocol(run)
    data, why = _data(run)
    shown = [
        *extra,
        sections.about_run(run, data),
        *([Section("A sample task", markup.note(why))] if data is None else sections.tasks(run, data, ways)),
        sections.scores(groups) if groups else None,
        charts.training(run),
        charts.dependence(stored(run), run.learner.steps),
    ]
    title = title or run.folder.resolve().name
    write_atomic(path, page(title, sections.headline(run, groups), [section for section in shown if section]))
    return path


def by_protocol(run: Run) -> list[list[Figure]]:
    """The run's figures by protocol: test tasks shaped as in training first, then by number of episodes.

    Within a protocol the main figure comes first: the objective's metric on all inputs, uncorrupted.
    """
    ways, shots = least(run.record.ways) or 0, least(run.record.shots)
    groups: dict[tuple, list[Figure]] = {}
    for f in run.figures():
        key = (f.episodes, f.seed, f.split, f.ways, f.shots, f.queries, f.gallery, f.transductive)
        groups.setdefault(key, []).append(f)
    inputs, metric = len(run.learner.network.modalities), run.learner.objective.metric

    def order(f: Figure) -> tuple[bool, bool, bool]:
        changed = f.corruption.changes_cells
        return (f.metric != metric, changed, len(f.modalities) != inputs)

    ordered = [sorted(group, key=order) for group in groups.values()]

    def as_trained(group: list[Figure]) -> tuple[bool, bool, int, int]:
        first = group[0]
        return (first.split != "test", first.shots != shots, abs((first.ways or 0) - ways), -first.episodes)

    return sorted(ordered, key=as_trained)


def _data(run: Run) -> tuple[Dataset | None, str]:
    """The run's data set; or None, and why it cannot be read."""
    try:
        return run.dataset(), ""
    except DataError as error:
        return None, f"No task can be shown. {error}"
