"""Sample tasks of objectives that predict texts, with the predictions before and after adaptation."""

from __future__ import annotations

import numpy as np

from omnishot.analysis.explain.sample_task import SPLIT_TASKS, held_out_part
from omnishot.episodes.loader import Loader, Shape, least
from omnishot.experiment.dataset import Dataset
from omnishot.html import markup
from omnishot.html.cells import cells
from omnishot.html.page import Section
from omnishot.runs.run import Run

#: Support rows, and as many query rows, that are shown of a task.
SHOWN = 6


def text_tasks(run: Run, data: Dataset, tasks: int = 2, seed: int = 0) -> Section:
    """Support rows and query rows of a few held-out tasks."""
    return Section("Sample tasks", "".join(_task(run, data, seed, i) for i in range(tasks)))


def _task(run: Run, data: Dataset, seed: int, step: int) -> str:
    """The task of a step of the loader as two cards."""
    learner, part, shots = run.learner, held_out_part(data), least(run.config.shots)
    objective = learner.objective
    source = data.tasks(part, shots, run.config.queries, skip_small=run.config.skip_bad)
    loader = Loader(data.store, source.source, Shape(1, None, shots, source.queries), seed=seed)
    rows, episode = loader.rows(step), loader.batch(step).task(0).to(learner.device)
    support, query = rows.support[0], rows.query[0]
    own_words = data.own_words(support)

    def predicted(state: object) -> np.ndarray:
        prediction = learner.answer(state, episode.query)  # type: ignore[arg-type]
        return objective.decode(objective.compact(prediction).cpu(), own_words)

    before, after = (
        predicted(learner.initial_state(learner.detached(), None)),
        predicted(learner.adapt(episode.support)),
    )
    support_rows = [_row(data, row) for row in support[:SHOWN]]
    query_rows = [_row(data, row, (before[i], after[i])) for i, row in enumerate(query[:SHOWN])]
    group = "" if data.groups is None else f" {data.groups[1][data.groups[0][support[0]]]!r}"
    words = f", with the own words {', '.join(own_words)}" if own_words else ""
    label = SPLIT_TASKS[part]
    note = f"{label[0].upper()}{label[1:]}{group}, seed {seed}{words}; {shots} support rows. "
    return markup.note(f"{note}An example, not an estimate.") + (
        f'<div class="cards halves"><article class="card"><h3>Support</h3>{"".join(support_rows)}</article>'
        f'<article class="card"><h3>Query</h3>{"".join(query_rows)}</article></div>'
    )


def _row(data: Dataset, row: int, predictions: tuple[str, str] | None = None) -> str:
    """A row's cells, its predictions before and after adaptation, and its reference texts."""
    references = "".join(f"<li>{markup.text(text)}</li>" for text in data.table.texts[row])
    shown = cells(data.store, row, data.store.present[row], "a row")
    verdicts = ""
    if predictions is not None:
        labels = ("before adaptation", "after adaptation")
        verdicts = "".join(
            f'<p class="verdict"><small>{label}</small> {markup.text(text)}</p>'
            for label, text in zip(labels, predictions, strict=True)
        )
    return f'<div class="row"><div class="cells">{shown}</div>{verdicts}<ul class="texts">{references}</ul></div>'
