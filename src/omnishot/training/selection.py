"""What is chosen on validation tasks: the best parameters, then what a learner and its objective leave open."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from omnishot.core.distributed import Ranks
from omnishot.core.storage import pack, read_tensors, write_atomic
from omnishot.episodes.loader import Loader
from omnishot.evaluation.episodes import answered, run_episodes
from omnishot.experiment.config import Config
from omnishot.learners.base import Learner
from omnishot.runs.checkpoint import CHECKPOINT, Progressed, fill
from omnishot.training.logging import Log


def validate(
    learner: Learner,
    val: Loader,
    config: Config,
    state: Progressed,
    folder: Path,
    log: Log | None,
    device: torch.device,
    ranks: Ranks,
) -> str:
    """Score on validation tasks, always the same; keep the parameters if they are the best so far."""
    scores = run_episodes(learner, val, config.val_episodes, device, ranks=ranks)
    metric = learner.objective.metric
    mean, ci95 = scores[metric]
    if log:
        values = {f"val_{name}": value for name, (value, _) in scores.items()}
        log.write(state.step, values | {f"val_{metric}_ci95": ci95})
    better = state.best is None or (mean > state.best if learner.objective.higher_is_better else mean < state.best)
    if better and math.isfinite(mean):
        state.best, state.best_step, state.stale = mean, state.step, 0
        if ranks.rank == 0:
            write_atomic(folder / "best" / CHECKPOINT, pack(learner.params(), asdict(state)))
    else:
        state.stale += 1
    return f"validation {metric} {mean:.3f} ± {ci95:.3f}" + ("" if state.best is None else f", best {state.best:.3f}")


def choose_best(
    learner: Learner,
    val: Loader | None,
    config: Config,
    state: Progressed,
    folder: Path,
    log: Log | None,
    ranks: Ranks,
) -> None:
    """The learner as the best checkpoint has it, tuned and calibrated, which is done now unless it has been."""
    path = folder / "best" / CHECKPOINT
    if state.best is None and ranks.rank == 0:
        write_atomic(path, pack(learner.params(), asdict(state)))
    tensors, about = ranks.on_main(lambda: read_tensors(path))
    fill(learner, tensors, about, path)
    if val is not None:
        tuned = about.get("tuned")
        if tuned is None:
            tuned = [_tune(learner, val, config, name, ranks) for name in learner.needs.tuned]
            tuned += _calibrate(learner, val, config, ranks)
            if ranks.rank == 0:
                chosen = {"tuned": tuned, "objective": learner.objective.to_json()}
                write_atomic(path, pack(learner.params(), about | chosen))
        if log:
            for record in tuned:
                log.write(state.step, record)


def _tune(learner: Learner, val: Loader, config: Config, name: str, ranks: Ranks) -> dict[str, Any]:
    """Leave a learner's number `name` at the value that is best on the validation tasks; the record of the choice."""
    objective, number = learner.objective, learner.get_parameter(name)
    chosen, tried = number.item(), {}
    for value in learner.needs.tuned[name]:
        number.data.fill_(value)
        mean, _ = run_episodes(learner, val, config.val_episodes, number.device, ranks=ranks)[objective.metric]
        if math.isfinite(mean):
            tried[value] = mean
    if tried:
        chosen = (max if objective.higher_is_better else min)(tried, key=tried.__getitem__)
    number.data.fill_(chosen)
    return {"tuned": name, "value": chosen, f"val_{objective.metric}": {str(v): mean for v, mean in tried.items()}}


def _calibrate(learner: Learner, val: Loader, config: Config, ranks: Ranks) -> list[dict[str, Any]]:
    """Leave the learner's objective with the settings that fit the validation tasks best; a record of each."""
    if not learner.objective.fitted:
        return []
    device = learner.device
    seen = answered(learner, val, config.val_episodes, device, ranks=ranks)
    own = [learner.objective.to_arrays(*each) for each in seen]
    outcomes = [each for share in ranks.gather(own) for each in share]
    learner.objective = ranks.on_main(lambda: learner.objective.calibrated(outcomes))
    figures = {f"val_{name}": value for name, (value, _) in learner.objective.aggregate(outcomes).items()}
    return [{"tuned": n, "value": getattr(learner.objective, n), **figures} for n in learner.objective.fitted]
