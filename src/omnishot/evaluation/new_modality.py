"""The effect of an unseen modality: figures of the same tasks with and without it, and the paired improvement."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from omnishot.episodes.loader import Loader
from omnishot.episodes.rows import Episode
from omnishot.episodes.shots import learned_from
from omnishot.errors import DataError
from omnishot.evaluation.evaluator import Evaluator
from omnishot.evaluation.figure import Figure, interval
from omnishot.experiment.dataset import bad_cells
from omnishot.experiment.new_modality import NewModality, decode_new_inputs, fit_new_inputs
from omnishot.learners.base import Learner
from omnishot.table.cells import missing
from omnishot.table.table import Table


@dataclass(frozen=True)
class WithNewInputs:
    """Adds new inputs to a task. They are learned from the task's support rows alone, as in `Model.adapt`.

    A task with fewer than two support rows that have both a new and a known input is left unchanged.

    Args:
        loader: draws the tasks, without the new inputs.
        table: the table of the tasks' rows.
        kinds: columns and kinds of the new inputs.
        skip_bad: whether cells that cannot be read count as missing.
    """

    learner: Learner
    loader: Loader
    table: Table
    kinds: Mapping[str, str]
    skip_bad: bool = False

    def __call__(self, task: Episode, number: int) -> Episode:
        """The task with hints from its new inputs; an `omnishot.evaluation.evaluator.Transform`.

        Raises:
            DataError: for bad cells, unless they are skipped.
        """
        step, t = divmod(number, self.loader.shape.tasks)
        draw = self.loader.rows(step)
        support_table, query_table = (self.table.select(rows[t]) for rows in (draw.support, draw.query))
        present = np.any([[not missing(cell) for cell in support_table.frame[name]] for name in self.kinds], 0)
        if (present & task.support.present.any(-1).cpu().numpy()).sum() >= 2:
            modalities, support_store, bad_support = fit_new_inputs(support_table, self.kinds)
            query_store, bad_query = decode_new_inputs(query_table, modalities)
            for table, bad in ((support_table, bad_support), (query_table, bad_query)):
                if bad and not self.skip_bad:
                    raise DataError(bad_cells(table, bad, "Mend them, or leave these cells empty"))
            support, query = (store.gather(np.arange(len(store))) for store in (support_store, query_store))
            new_modality = NewModality.fit(self.learner, task.support, support, modalities)
            task = Episode(
                new_modality.add_hints(task.support, support, support=True), new_modality.add_hints(task.query, query)
            )
        return Episode(learned_from(task.support, self.loader.extra_shots), task.query)


def new_modality_figures(evaluator: Evaluator, with_new: WithNewInputs) -> list[Figure]:
    """Figures with the new inputs, figures without them on the same tasks, and the mean improvement by task.

    The improvement is of the metric that selects models, above zero if the new inputs help. Its interval is that of the
    paired differences.
    """
    objective, loader, names = evaluator.learner.objective, evaluator.loader, tuple(with_new.kinds)
    corruption = dataclasses.replace(loader.corruption, new=names)
    # Extra shots are made once the task has its new inputs.
    own = dataclasses.replace(loader, extra_shots=False, corruption=corruption)
    figures, by_task, seconds = [], [], 0.0
    for each in (
        dataclasses.replace(evaluator, loader=own, transform=with_new, label=_label(evaluator, "with", names)),
        dataclasses.replace(evaluator, label=_label(evaluator, "without", names)),
    ):
        began = time.perf_counter()
        scores = each.scores()
        took = time.perf_counter() - began
        figures += each.to_figures(each.aggregate(scores), took)
        by_task.append(np.array([metrics[objective.metric] for metrics in scores.metrics]))
        seconds += took
    better = by_task[0] - by_task[1] if objective.higher_is_better else by_task[1] - by_task[0]
    improvement = {f"{objective.metric}_improvement": interval(better)}
    return figures + dataclasses.replace(evaluator, loader=own).to_figures(improvement, seconds)


def _label(evaluator: Evaluator, word: str, names: tuple[str, ...]) -> str | None:
    return evaluator.label and f"{evaluator.label} {word} {', '.join(names)}"
