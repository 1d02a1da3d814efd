"""The training loop."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from omnishot.core import seeds
from omnishot.core.distributed import ALONE, RankLost, Ranks
from omnishot.core.malloc import keep_freed_memory
from omnishot.core.storage import read_json, write_json
from omnishot.episodes.attack import radii_of
from omnishot.episodes.loader import Loader
from omnishot.episodes.rows import Episode
from omnishot.errors import DataError, OmnishotError
from omnishot.evaluation.attacks import adversarial_batch
from omnishot.experiment.config import Config
from omnishot.experiment.plan import LOOP, Plan
from omnishot.learners.base import Learner
from omnishot.runs.checkpoint import TrainingState, restore_last, save_last
from omnishot.table.cache import cache_root
from omnishot.training.engine.autotune import choose
from omnishot.training.engine.cuda_graph import runner
from omnishot.training.logging import Log, progress_bar, stop_signals
from omnishot.training.selection import Selection

SHORT_TRAINING = 100  # steps; a shorter training is over before autotuning has paid for itself
MAX_SKIPPED = 10  # consecutive steps without a finite gradient, after which a training ends with an error


class Interrupted(OmnishotError):
    """Training was stopped by a signal; the run can be resumed."""


@dataclass(frozen=True)
class StepResult:
    """The result of a training step, the same on every rank.

    Args:
        loss: mean loss of the step's tasks.
        problem: why the step was skipped (the parameters did not change); empty if it was not.
        stop: whether any rank has received a signal to stop.
    """

    loss: float
    problem: str
    stop: bool


class Trainer:
    """Meta-trains a learner, selects its parameters on validation tasks, and writes `last/` and `best/` checkpoints.

    Every meta-batch depends on the seed and the step alone, so a resumed training repeats an uninterrupted one. Each of
    several ranks computes the gradient of its shard of a step's tasks; the gradients are then averaged, so that all
    ranks have the same parameters, equal to those of a single rank up to rounding. Rank 0 writes the files.

    Args:
        learner: on the device to train on; it ends with the best parameters.
        train, val: loaders of training and validation tasks. Without validation the last parameters are the best.
        config: of the run.
        folder: of the run.
        progress: show a progress bar on stderr.
        ranks: the processes that train together.

    Raises:
        UsageError: if adversarial training is requested for an input that cannot be attacked.
    """

    def __init__(
        self,
        learner: Learner,
        train: Loader,
        val: Loader | None,
        config: Config,
        folder: Path,
        *,
        progress: bool = False,
        ranks: Ranks = ALONE,
    ):
        self.learner, self.train, self.val, self.config, self.folder, self.ranks = (
            learner, train, val, config, folder, ranks,
        )  # fmt: skip
        self.progress = progress and ranks.rank == 0
        self.device = learner.device
        self.optimizer = torch.optim.AdamW(learner.parameters(), lr=config.lr, weight_decay=config.weight_decay)
        self.state = TrainingState()
        self.stopped = threading.Event()
        self._backward = runner(learner, LOOP)
        self._radii = {n: r for n, r in radii_of(config.adversarial, learner.network.modalities).items() if r > 0}
        self._started = time.perf_counter()
        self._warned = False

    def run(self, resume: bool = False) -> TrainingState:
        """Train to the last step of the config, from the last checkpoint if `resume` and there is one.

        Raises:
            Interrupted: on SIGINT or SIGTERM to any rank, after saving; says how to resume.
            DataError: if the loss is not finite in many consecutive steps, after saving; or if the checkpoint to
                resume from is damaged.
            RankLost: if another rank was killed or failed; says how to resume.
        """
        try:
            self._run(resume)
        except RankLost as error:
            raise RankLost(f"{error}; {self._how_to_resume}") from error
        return self.state

    def _run(self, resume: bool) -> None:
        config, ranks = self.config, self.ranks
        state = self.state = restore_last(self.learner, self.optimizer, self.folder, resume, ranks)
        plan = self._choose_plan()
        self._backward = runner(self.learner, plan)
        self._started = time.perf_counter() - state.seconds
        train = dataclasses.replace(self.train, shard=(ranks.rank, ranks.world))
        val_every = config.val_every or max(1, math.ceil(config.steps / 10))
        log = Log(self.folder if ranks.rank == 0 else None, state.step)
        selection = Selection(self.learner, self.val, config.val_episodes, state, self.folder, log, ranks)
        with log:
            with stop_signals() as self.stopped, progress_bar(self.progress) as bar:
                if self.progress:
                    bar.console.print(f"the tasks of a step are run by plan {plan}")
                row = bar.add_task("meta-training", total=config.steps, completed=state.step, note="")
                for batch in train.stream(state.step, config.steps, waited=state.wait):
                    if config.patience and state.stale >= config.patience:
                        break
                    result = self.step(state.step, batch.to(self.device))
                    stop = result.stop
                    state.step += 1
                    state.skipped = state.skipped + 1 if result.problem else 0
                    log.write(state.step, {"skipped": result.problem} if result.problem else {"loss": result.loss})
                    if result.problem:
                        self._warn_once(result.problem)
                    if state.step % val_every == 0 or state.step == config.steps:
                        bar.update(row, note=selection.validate())
                        self._save()
                        stop = any(ranks.gather(self.stopped.is_set()))
                    bar.advance(row)
                    if state.skipped >= min(MAX_SKIPPED, config.steps):
                        self._save()
                        raise DataError(self._diverged(result.problem))
                    if stop:
                        self._save()
                        raise Interrupted(f"stopped at step {state.step} of {config.steps}; {self._how_to_resume}")
            self._save()
            selection.restore_best()

    def step(self, step: int, batch: Episode) -> StepResult:
        """One training step on this rank's tasks of a meta-batch `[tasks, rows]`, on the learner's device.

        The step is skipped if the loss of any task or the meta-gradient is not finite. Its random numbers depend on the
        seed, the step and the rank alone; the global generators are as before afterwards.
        """
        learner, config, ranks = self.learner, self.config, self.ranks
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        self.optimizer.zero_grad(set_to_none=False)

        # The gradient of this rank's tasks, then by one all-reduce that of all tasks.
        tasks = config.tasks
        losses = torch.zeros(tasks, device=self.device)
        if batch.tasks:
            losses[ranks.rank :: ranks.world] = self._forward_backward(step, batch)
        sums = torch.cat([losses, losses.new_tensor([float(self.stopped.is_set())])])
        sums = ranks.reduce_gradients(learner.parameters(), batch.tasks / tasks, sums)
        losses, stop = sums[:tasks], bool(sums[tasks])

        # The sums are the same on every rank to the bit, so all ranks decide alike.
        norm = torch.nn.utils.clip_grad_norm_(learner.parameters(), config.clip)
        problem = ""
        if losses.isfinite().all() & norm.isfinite():
            self.optimizer.step()
        else:
            bad = int(losses.isfinite().logical_not().sum())
            problem = (
                f"the loss of {bad} of {tasks} tasks was not finite" if bad else "the meta-gradient was not finite"
            )
        return StepResult(losses.mean().item(), problem, stop)

    def _forward_backward(self, step: int, batch: Episode) -> Tensor:
        """Add the mean gradient of this rank's tasks to the parameters' `.grad`; returns the losses `[tasks]`."""
        learner, config = self.learner, self.config
        learner.train()
        seed = seeds.training_step(config.seed, step, self.ranks.rank)
        with seeds.torch_generators(self.device, seed), precision(config, self.device):
            batch = self.attacked(step, batch)
            losses = self._backward(batch, step / config.steps)
            if learner.auxiliary is not None:
                losses = losses + learner.auxiliary.backward(learner.network, batch)
        learner.eval()
        return losses

    def attacked(self, step: int, batch: Episode) -> Episode:
        """The meta-batch with its query rows attacked, if the config asks for adversarial training.

        The attack on a task depends on the seed, the step and the task's place among those of all ranks alone.
        """
        config, ranks = self.config, self.ranks
        if not self._radii:
            return batch
        own = range(ranks.rank, config.tasks, ranks.world)
        learner = self.learner.at(step / config.steps)
        return adversarial_batch(learner, batch, self._radii, [(config.seed, step, task) for task in own])

    def _choose_plan(self) -> Plan:
        """The plan for meta-batches: that of the run to resume, that of the config, or autotuned if this saves time."""
        path, config = self.folder / "plan.json", self.config

        def decide() -> Plan:
            if self.state.step and path.exists():
                return Plan.parse(read_json(path)["plan"])
            seconds: dict[str, float] = {}
            if config.plan != "auto":
                plan = Plan.parse(config.plan)
            elif config.steps < SHORT_TRAINING:
                plan = Plan("loop" if self.device.type == "cpu" else "vmap")
            else:
                plan, seconds = autotuned(self.learner, self.train, config)
            write_json(path, {"plan": str(plan), "seconds a task": seconds, "device": str(self.device)})
            return plan

        if self.device.type == "cpu":
            keep_freed_memory()
        return self.ranks.on_main(decide)

    def _save(self) -> None:
        self.state.seconds = time.perf_counter() - self._started
        save_last(self.learner, self.optimizer, self.state, self.folder, self.ranks)

    def _warn_once(self, problem: str) -> None:
        """Warn of the first skipped step."""
        if self.ranks.rank == 0 and not self._warned:
            self._warned = True
            warnings.warn(
                f"step {self.state.step} was skipped: {problem}; the parameters did not change, and metrics.jsonl "
                "records every such step",
                stacklevel=5,
            )

    def _diverged(self, problem: str) -> str:
        return (
            f"{problem} at step {self.state.step}, nor in any of the {self.state.skipped} last: the training diverged; "
            "try a smaller lr (the step size of the outer loop) or inner_lr (of the inner loop, where the learner has "
            "one). The last checkpoint is whole, with the parameters from before these steps"
        )

    @property
    def _how_to_resume(self) -> str:
        out = str(self.folder)
        return f"to go on, repeat the command with --resume (or om.train(…, out={out!r}, resume=True))"


def learning_rate(config: Config, step: int) -> float:
    """The step size of the outer loop: it rises during the warmup, then follows the config's schedule."""
    done = step / config.steps
    left = {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "constant": 1.0}[config.schedule]
    return config.lr * min(1, (step + 1) / (config.warmup + 1)) * left


def precision(config: Config, device: torch.device) -> torch.autocast:
    """A context with the numerical precision of the config."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16")


def autotuned(learner: Learner, train: Loader, config: Config) -> tuple[Plan, dict[str, float]]:
    """The fastest plan for the training's first meta-batch, and the seconds per task of each plan that was timed."""
    with seeds.torch_generators(learner.device), precision(config, learner.device):
        return choose(learner, train.batch(0).to(learner.device), cache_root() / "plans")
