"""What a modality first met at adaptation adds: the same tasks with it and without it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from omnishot.core.distributed import ALONE, Ranks
from omnishot.episodes.loader import Loader
from omnishot.episodes.rows import Episode
from omnishot.episodes.shots import learned_from
from omnishot.errors import DataError
from omnishot.evaluation.episodes import Figure, interval, records, scored, summed
from omnishot.experiment.dataset import bad_cells
from omnishot.experiment.new_modality import NewModality, decode_new_inputs, fit_new_inputs
from omnishot.learners.base import Learner
from omnishot.table.cells import missing
from omnishot.table.table import Table


@dataclass(frozen=True)
class Meeting:
    """Gives a task its new inputs, as `Model.adapt` learns them: from the task's support rows and nothing else.

    A task of which fewer than two support rows have a new and a known input is left as it is.

    Args:
        loader: draws the tasks, without the new inputs.
        table: the rows that it draws from.
        kinds: the new inputs' columns and kinds.
        skip_bad: whether cells that cannot be read count as missing.
    """

    learner: Learner
    loader: Loader
    table: Table
    kinds: Mapping[str, str]
    skip_bad: bool = False

    def __call__(self, task: Episode, number: int) -> Episode:
        """A task with hints of what its new inputs say; see `omnishot.evaluation.episodes.Met`.

        Raises:
            DataError: for bad cells, unless they are skipped.
        """
        step, t = divmod(number, self.loader.shape.tasks)
        drawn = self.loader.rows(step)
        learned, asked = (self.table.select(rows[t]) for rows in (drawn.support, drawn.query))
        here = np.any([[not missing(cell) for cell in learned.frame[name]] for name in self.kinds], 0)
        if (here & task.support.present.any(-1).cpu().numpy()).sum() >= 2:
            modalities, first, wrong = fit_new_inputs(learned, self.kinds)
            rest, more = decode_new_inputs(asked, modalities)
            for table, bad in ((learned, wrong), (asked, more)):
                if bad and not self.skip_bad:
                    raise DataError(bad_cells(table, bad, "Mend them, or leave these cells empty"))
            support, query = (store.gather(np.arange(len(store))) for store in (first, rest))
            new_modality = NewModality.fit(self.learner, task.support, support, modalities)
            task = Episode(
                new_modality.add_hints(task.support, support, support=True), new_modality.add_hints(task.query, query)
            )
        return Episode(learned_from(task.support, self.loader.extra_shots), task.query)


def gains(
    meeting: Meeting,
    episodes: int,
    about: Mapping[str, Any],
    device: torch.device | str = "cpu",
    label: str | None = None,
    ranks: Ranks = ALONE,
) -> list[Figure]:
    """Figures with the new inputs, figures without them on the same tasks, and the gain, the mean difference by task.

    The gain is of the metric that counts, above zero if the new inputs help; its interval is that of the differences.
    """
    learner, loader = meeting.learner, meeting.loader
    plain = dataclasses.replace(loader, extra_shots=False)  # which are made of what the task is given
    results, found = [], []
    for names, drawn, met in ((tuple(meeting.kinds), plain, meeting), ((), loader, None)):
        began = time.perf_counter()
        shown = label and f"{label} {'with' if names else 'without'} {', '.join(meeting.kinds)}"
        scores, outcomes = scored(learner, drawn, episodes, device, shown, ranks, met=met)
        seconds = time.perf_counter() - began
        found += records(summed(learner, scores, outcomes), learner, loader, episodes, {**about, "new": names}, seconds)
        results.append(np.array([score[learner.objective.metric] for score in scores]))
    better = results[0] - results[1] if learner.objective.higher_is_better else results[1] - results[0]
    gain = {f"{learner.objective.metric}_improvement": interval(better)}
    seconds = sum({figure.new: figure.seconds for figure in found}.values())
    return found + records(gain, learner, loader, episodes, {**about, "new": tuple(meeting.kinds)}, seconds)
