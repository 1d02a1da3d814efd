"""A task whose answers are texts, as a person would look at it: what was said before adapting and after."""

from __future__ import annotations

import numpy as np

from omnishot.analysis.explain.drawing import NAMES, held_out
from omnishot.episodes.loader import Loader, Shape, least
from omnishot.experiment.dataset import Dataset
from omnishot.html import markup
from omnishot.html.cells import cells
from omnishot.html.page import Section
from omnishot.runs.run import Run

#: Rows that are shown of each half of a task.
SHOWN = 6


def texts(run: Run, data: Dataset, tasks: int = 2, seed: int = 0) -> Section:
    """The first few rows of held-out tasks: what each was learned from, and what was said of others."""
    return Section("Tasks as you would look at them", "".join(_task(run, data, seed, i) for i in range(tasks)))


def _task(run: Run, data: Dataset, seed: int, step: int) -> str:
    learner, part, shots = run.learner, held_out(data), least(run.config.shots)
    objective = learner.objective
    source = data.tasks(part, shots, run.config.queries, skip_small=run.config.skip_bad)
    loader = Loader(data.store, source.source, Shape(1, None, shots, source.queries), seed=seed)
    drawn, episode = loader.rows(step), loader.batch(step).task(0).to(learner.device)
    support, query = drawn.support[0], drawn.query[0]
    names = data.own_words(support)

    def said(state: object) -> np.ndarray:
        return objective.decode(objective.compact(learner.answer(state, episode.query)).cpu(), names)  # type: ignore[arg-type]

    before, after = said(learner.initial_state(learner.detached(), None)), said(learner.adapt(episode.support))
    taught = [_row(data, row, "", "") for row in support[:SHOWN]]
    asked = [_row(data, row, before[i], after[i]) for i, row in enumerate(query[:SHOWN])]
    group = data.groups
    task = "" if group is None else f" {group[1][group[0][support[0]]]!r}"
    brings = f", whose own words are {', '.join(names)}" if names else ""
    note = (
        f"This is {NAMES[part]} task{task}, seed {seed}{brings}: {shots} rows to learn from. An example, not a figure."
    )
    return markup.note(note) + (
        f'<div class="cards halves"><article class="card"><h3>Learned from</h3>{"".join(taught)}</article>'
        f'<article class="card"><h3>Asked</h3>{"".join(asked)}</article></div>'
    )


def _row(data: Dataset, row: int, before: str, after: str) -> str:
    people = "".join(f"<li>{markup.text(text)}</li>" for text in data.table.texts[row])
    shown = cells(data.store, row, data.store.present[row], "a row")
    said = ""
    if after or before:
        said = (
            f'<p class="verdict"><small>before adapting</small> {markup.text(before)}</p>'
            f'<p class="verdict"><small>after</small> {markup.text(after)}</p>'
        )
    return f'<div class="row"><div class="cells">{shown}</div>{said}<ul class="texts">{people}</ul></div>'
