"""The one training loop."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor

from omnishot.core import seeds
from omnishot.core.distributed import ALONE, RankLost, Ranks
from omnishot.core.malloc import keep_freed_memory
from omnishot.core.storage import read_json, write_json
from omnishot.episodes.loader import Loader
from omnishot.episodes.rows import Episode
from omnishot.errors import DataError, OmnishotError
from omnishot.evaluation.attacks import hardened, radii_of
from omnishot.experiment.config import Config
from omnishot.experiment.plan import Plan
from omnishot.learners.base import Learner
from omnishot.runs.checkpoint import Progressed, begin, save
from omnishot.table.cache import cache_root
from omnishot.training.engine.autotune import choose
from omnishot.training.engine.cuda_graph import runner
from omnishot.training.logging import Log, progress_bar, stop_signals
from omnishot.training.selection import choose_best, validate

SHORT = 100  # steps, below which a trial of plans would not pay
SKIPPED = 10  # steps without a finite gradient, one after the other, that end a training


class Interrupted(OmnishotError):
    """Training was stopped by a signal; the run can be resumed."""


def meta_train(
    learner: Learner,
    train: Loader,
    val: Loader | None,
    config: Config,
    folder: Path,
    *,
    resume: bool = False,
    progress: bool = True,
    ranks: Ranks = ALONE,
) -> Progressed:
    """Meta-train, select on validation tasks, leave `last/` and `best/` checkpoints; the learner ends as the best.

    Every meta-batch depends on the seed and the step alone, so a resumed run repeats what an uninterrupted one
    does. Without validation the last parameters are the best. Of several `ranks` each takes its share of the tasks of
    every step; all go through the same parameters, those of one rank alone up to rounding. Rank 0 keeps the folder.

    A step whose loss or gradient is not finite changes nothing and is recorded. What a learner wants `tuned`, and then
    what its objective wants `calibrated`, is chosen on the validation tasks at the end, for the best parameters.

    Raises:
        Interrupted: on SIGINT or SIGTERM to any rank, after saving; says how to go on.
        DataError: if the loss is not finite in many steps one after the other, after saving; or if the checkpoint to
            resume from is damaged.
        RankLost: if another rank was killed or failed; says how to go on.
    """
    try:
        return _meta_train(learner, train, val, config, folder, ranks, resume, progress and ranks.rank == 0)
    except RankLost as error:
        raise RankLost(f"{error}; {_GO_ON.format(str(folder))}") from error


_GO_ON = "to go on, repeat the command with --resume (or om.train(…, out={!r}, resume=True))"
_ALL_SKIPPED = "parameters are as they were, and metrics.jsonl records every such step"
_DIVERGED = (
    "the inner loop or the training diverged; try a smaller inner_lr or lr. The last checkpoint is whole, with the "
    "parameters from before these steps"
)


def _meta_train(
    learner: Learner,
    train: Loader,
    val: Loader | None,
    config: Config,
    folder: Path,
    ranks: Ranks,
    resume: bool,
    progress: bool,
) -> Progressed:
    optimizer = torch.optim.AdamW(learner.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    state = begin(learner, optimizer, folder, resume, ranks)
    train = dataclasses.replace(train, share=(ranks.rank, ranks.world))
    device = learner.device
    plan = _plan(learner, train, config, folder, state.step, device, ranks)
    run = runner(learner, plan)
    every = config.val_every or max(1, math.ceil(config.steps / 10))
    began = time.perf_counter() - state.seconds
    # What was logged after the checkpoint that training goes on from is logged again, and so is how it ends.
    log = Log(folder, state.step, lambda r: r["step"] <= state.step and "tuned" not in r) if ranks.rank == 0 else None
    told = False

    def keep() -> None:
        state.seconds = time.perf_counter() - began
        save(learner, optimizer, state, folder, ranks)

    with log or nullcontext():
        with stop_signals() as stopped, progress_bar(progress) as bar:
            if progress:
                bar.console.print(f"the tasks of a step are run by plan {plan}")
            row = bar.add_task("meta-training", total=config.steps, completed=state.step, note="")
            steps = range(state.step, config.steps)
            for step, batch in zip(steps, train.stream(state.step, config.steps, waited=state.wait), strict=True):
                if config.patience and state.stale >= config.patience:
                    break
                loss, stop, problem = _step(learner, optimizer, batch.to(device), config, step, run, ranks, stopped)
                state.step = step + 1
                state.skipped = state.skipped + 1 if problem else 0
                if log:
                    log.write(state.step, {"skipped": problem} if problem else {"loss": loss})
                    if problem and not told:
                        warnings.warn(f"step {state.step} was skipped: {problem}; {_ALL_SKIPPED}", stacklevel=4)
                        told = True
                if state.step % every == 0 or state.step == config.steps:
                    if val is not None:
                        note = validate(learner, val, config, state, folder, log, device, ranks)
                        bar.update(row, note=note)
                    keep()
                    stop = any(ranks.gather(stopped.is_set()))
                bar.advance(row)
                if state.skipped >= min(SKIPPED, config.steps):
                    keep()
                    raise DataError(
                        f"{problem} at step {state.step}, nor in any of the {state.skipped} last: {_DIVERGED}"
                    )
                if stop:
                    keep()
                    raise Interrupted(f"stopped at step {state.step} of {config.steps}; {_GO_ON.format(str(folder))}")
        keep()
        choose_best(learner, val, config, state, folder, log, ranks)
    return state


def _plan(
    learner: Learner, train: Loader, config: Config, folder: Path, step: int, device: torch.device, ranks: Ranks
) -> Plan:
    """How meta-batches are run: as the run began with, as was said, or by a trial if the run is long enough for one."""
    path = folder / "plan.json"

    def decide() -> Plan:
        if step and path.exists():
            return Plan.parse(read_json(path)["plan"])
        seconds: dict[str, float] = {}
        if config.plan != "auto":
            plan = Plan.parse(config.plan)
        elif config.steps < SHORT:
            plan = Plan("loop" if device.type == "cpu" else "vmap")
        else:
            with _precision(config, device):
                plan, seconds = choose(learner, train.batch(0).to(device), cache_root() / "plans")
        write_json(path, {"plan": str(plan), "seconds a task": seconds, "device": str(device)})
        return plan

    if device.type == "cpu":
        keep_freed_memory()
    return ranks.on_main(decide)


def step_size(config: Config, step: int) -> float:
    """The outer step size at a step: it rises over the warmup, and falls (or not) by the config's schedule."""
    done = step / config.steps
    left = {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "constant": 1.0}[config.schedule]
    return config.lr * min(1, (step + 1) / (config.warmup + 1)) * left


def _precision(config: Config, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16")


def _step(
    learner: Learner,
    optimizer: torch.optim.Optimizer,
    batch: Episode,
    config: Config,
    step: int,
    run: Callable[[Episode, float], Tensor],
    ranks: Ranks,
    stopped: threading.Event,
) -> tuple[float, bool, str]:
    """One meta-step: the mean loss of all tasks, of which `batch` has this rank's, whether any rank is to stop, and why
    the step was skipped, if it was.

    Its randomness, like its batch, depends on the seed and the step alone, and on the rank: no two tasks share it.
    """
    torch.manual_seed(seeds.training_step(config.seed, step, ranks.rank))
    for group in optimizer.param_groups:
        group["lr"] = step_size(config, step)
    optimizer.zero_grad(set_to_none=False)
    tasks = config.tasks
    summed = torch.zeros(tasks + 1, device=learner.device)
    if batch.tasks:
        learner.train()  # what acts in training alone, as dropout does
        with _precision(config, summed.device):
            batch = _attacked(learner, batch, config, step, ranks)
            losses = run(batch, step / config.steps)
            if learner.auxiliary is not None:
                losses = losses + learner.auxiliary.backward(learner.network, batch)
            summed[ranks.rank : tasks : ranks.world] = losses
        learner.eval()
    summed[tasks] = stopped.is_set()
    summed = ranks.reduce_gradients(learner.parameters(), batch.tasks / tasks, summed)
    losses, stop = summed[:tasks], bool(summed[tasks])
    norm = torch.nn.utils.clip_grad_norm_(learner.parameters(), config.clip)
    problem = ""
    # Sums over the ranks are the same on each of them to the bit, so all come to the same decision.
    if losses.isfinite().all() & norm.isfinite():
        optimizer.step()
    else:
        bad = int(losses.isfinite().logical_not().sum())
        problem = f"the loss of {bad} of {tasks} tasks was not finite" if bad else "the meta-gradient was not finite"
    return losses.mean().item(), stop, problem


def _attacked(learner: Learner, batch: Episode, config: Config, step: int, ranks: Ranks) -> Episode:
    """A meta-batch as adversarial training sees it: each task's attack depends on seed, step and its place alone."""
    radii = {name: r for name, r in radii_of(config.adversarial, learner.network.modalities).items() if r > 0}
    if not radii:
        return batch
    own = range(ranks.rank, config.tasks, ranks.world)
    return hardened(learner.at(step / config.steps), batch, radii, [(config.seed, step, task) for task in own])
