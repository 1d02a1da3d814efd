"""Model selection on validation tasks: the best parameters, then the values that are chosen once training has ended."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omnishot.core.distributed import Ranks
from omnishot.core.storage import pack, read_tensors, write_atomic
from omnishot.episodes.loader import Loader
from omnishot.evaluation.evaluator import Evaluator
from omnishot.learners.base import Learner
from omnishot.runs.checkpoint import CHECKPOINT, TrainingState, fill
from omnishot.training.logging import Log


@dataclass
class Selection:
    """Keeps the parameters with the best figure on the validation tasks, which are always the same.

    Args:
        learner: in training.
        val: loader of the validation tasks; None: the last parameters are the best.
        episodes: number of validation tasks.
        state: of the training; its `best`, `best_step` and `stale` are updated here.
        folder: of the run, in which `best/` is written by rank 0.
        log: receives every figure and every chosen value.
        ranks: divide the validation tasks.
    """

    learner: Learner
    val: Loader | None
    episodes: int
    state: TrainingState
    folder: Path
    log: Log
    ranks: Ranks

    @property
    def path(self) -> Path:
        """The best checkpoint."""
        return self.folder / "best" / CHECKPOINT

    def validate(self) -> str:
        """Evaluate the present parameters and write them to `best/` if they are the best so far.

        A figure that is not finite is never the best. Returns a line for people, empty without validation tasks.
        """
        if self.val is None:
            return ""
        state, objective = self.state, self.learner.objective
        scores = self._scores(self.val)
        metric = objective.metric
        mean, ci95 = scores[metric]
        values = {f"val_{name}": value for name, (value, _) in scores.items()}
        self.log.write(state.step, values | {f"val_{metric}_ci95": ci95})
        better = state.best is None or (mean > state.best if objective.higher_is_better else mean < state.best)
        if better and math.isfinite(mean):
            state.best, state.best_step, state.stale = mean, state.step, 0
            self._write(asdict(state))
        else:
            state.stale += 1
        best = "" if state.best is None else f", best {state.best:.3f}"
        return f"validation {metric} {mean:.3f} ± {ci95:.3f}{best}"

    def restore_best(self) -> None:
        """Give the learner the best checkpoint's parameters, tuned and calibrated on the validation tasks.

        Tuning and calibration are done once; a run that is resumed after its end reads the chosen values.
        """
        if self.state.best is None:
            self._write(asdict(self.state))
        tensors, facts = self.ranks.on_main(lambda: read_tensors(self.path))
        fill(self.learner, tensors, facts, self.path)
        if self.val is None:
            return
        tuned = facts.get("tuned")
        if tuned is None:
            tuned = [self._tune(name, self.val) for name in self.learner.needs.tuned] + self._calibrate(self.val)
            self._write(facts | {"tuned": tuned, "objective": self.learner.objective.to_json()})
        for record in tuned:
            self.log.write(self.state.step, record)

    def _write(self, facts: dict[str, Any]) -> None:
        if self.ranks.rank == 0:
            write_atomic(self.path, pack(self.learner.params(), facts))

    def _scores(self, val: Loader) -> dict[str, tuple[float, float]]:
        """Each metric's mean over the validation tasks, and the half-width of its interval."""
        return self._evaluator(val).results()

    def _evaluator(self, val: Loader) -> Evaluator:
        return Evaluator(self.learner, val, self.episodes, self.learner.device, ranks=self.ranks)

    def _tune(self, name: str, val: Loader) -> dict[str, Any]:
        """Set the learner's number `name` to the value that is best on the validation tasks; a record of the choice."""
        objective, number = self.learner.objective, self.learner.get_parameter(name)
        chosen, tried = number.item(), {}
        for value in self.learner.needs.tuned[name]:
            number.data.fill_(value)
            mean, _ = self._scores(val)[objective.metric]
            if math.isfinite(mean):
                tried[value] = mean
        if tried:
            chosen = (max if objective.higher_is_better else min)(tried, key=tried.__getitem__)
        number.data.fill_(chosen)
        return {"tuned": name, "value": chosen, f"val_{objective.metric}": {str(v): mean for v, mean in tried.items()}}

    def _calibrate(self, val: Loader) -> list[dict[str, Any]]:
        """Fit the objective's settings (a softmax's temperature) to the validation tasks; a record of each."""
        learner = self.learner
        if not learner.objective.fitted:
            return []
        episodes = self._evaluator(val).arrays()
        learner.objective = self.ranks.on_main(lambda: learner.objective.calibrated(episodes))
        figures = {f"val_{name}": value for name, (value, _) in learner.objective.aggregate(episodes).items()}
        return [{"tuned": n, "value": getattr(learner.objective, n), **figures} for n in learner.objective.fitted]
