"""The budget of a training, in steps or in time. A time is converted to steps before training, by timing real steps."""

from __future__ import annotations

import copy
import dataclasses
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from omnishot.episodes.loader import Loader
from omnishot.errors import UsageError
from omnishot.evaluation.evaluator import Evaluator
from omnishot.experiment.config import Config
from omnishot.learners.base import Learner
from omnishot.training.trainer import Trainer, autotuned

TIMING_SECONDS, TIMING_FRACTION = 10.0, 0.05  # duration of the timed steps; at most this fraction of the budget
TIMED_STEPS = (3, 500)  # fewest and most timed steps
TIMED_EPISODES = 20  # timed validation tasks
VALIDATIONS = 10  # of a training that does not set val_every; fewer, if they would take more than …
VALIDATION_FRACTION = 0.2  # … this fraction of the budget


@dataclass(frozen=True)
class Budget:
    """What each learner may spend on meta-training: either `steps`, or `minutes` including validation.

    Raises:
        UsageError: unless exactly one is given, and above 0.
    """

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.minutes, self.steps) if value is not None]
        if len(given) != 1:
            raise UsageError("one budget for all: give either minutes or steps (--minutes, --steps)")
        if not 0 < given[0] < math.inf:
            raise UsageError(f"the budget must be above 0 and finite, not {given[0]!r}")

    def __str__(self) -> str:
        return f"{self.minutes:g} min of meta-training each" if self.minutes else f"{self.steps:,} steps each"


@dataclass(frozen=True)
class Pace:
    """Seconds that a training step and a validation take, and the plan by which the timed steps were run."""

    step: float
    validation: float
    plan: str

    def steps_within(self, seconds: float, val_every: int | None) -> tuple[int, int]:
        """How many steps fit into a time including validation, and the steps between two validations; each at least 1.

        Args:
            val_every: steps between two validations; None: ten validations, or fewer if ten would take more than
                their fraction of the time.
        """
        if val_every is not None:
            return max(1, int(seconds / (self.step + self.validation / val_every))), val_every
        validations = VALIDATIONS
        if validations * self.validation > VALIDATION_FRACTION * seconds:
            validations = max(1, int(VALIDATION_FRACTION * seconds / self.validation))
        steps = max(1, int((seconds - validations * self.validation) / self.step))
        return steps, math.ceil(steps / validations)

    def seconds(self, steps: int, val_every: int) -> float:
        """The duration of so many steps, including validation."""
        return steps * self.step + self.validation * math.ceil(steps / val_every)


def measure_pace(learner: Learner, train: Loader, val: Loader | None, config: Config, seconds: float) -> Pace:
    """Time training steps and validation tasks on a copy of the learner, after autotuning and warming up.

    Args:
        seconds: the duration of the training to come; a small fraction of it is spent here.

    Raises:
        DataError: if the learner diverges at once.
    """
    timed, device = copy.deepcopy(learner), learner.device
    plan = str(autotuned(timed, train, config)[0]) if config.plan == "auto" else config.plan

    def seconds_per_step(steps: int) -> float:
        short = dataclasses.replace(config, steps=steps, val_every=steps, patience=0, plan=plan)
        with tempfile.TemporaryDirectory() as folder:
            return Trainer(timed, train, None, short, Path(folder)).run().seconds / steps

    fewest, most = TIMED_STEPS
    warm_up = seconds_per_step(2)
    step = seconds_per_step(max(fewest, min(most, int(min(TIMING_SECONDS, TIMING_FRACTION * seconds) / warm_up))))
    return Pace(step, _validation_seconds(timed, val, config.val_episodes, device), plan)


def _validation_seconds(learner: Learner, val: Loader | None, episodes: int, device: torch.device) -> float:
    if val is None:
        return 0.0
    Evaluator(learner, val, 2, device).results()
    timed = min(TIMED_EPISODES, episodes)
    began = time.perf_counter()
    Evaluator(learner, val, timed, device).results()
    return (time.perf_counter() - began) * episodes / timed
