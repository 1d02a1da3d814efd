"""What a meta-training may cost, in steps or in time: a time becomes steps by measuring before it begins."""

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
from omnishot.evaluation.episodes import run_episodes
from omnishot.experiment.config import Config
from omnishot.learners.base import Learner
from omnishot.training.trainer import Trainer, autotuned

TRIAL_SECONDS, TRIAL_SHARE = 10.0, 0.05  # of timed steps: so long, but no more than this share of the budget
TRIAL_STEPS = (3, 500)  # … and so many at least and at most
TRIAL_EPISODES = 20  # validation tasks that are timed
VALIDATIONS = 10  # in a training that does not say how often …
VALIDATION_SHARE = 0.2  # … unless they would take more than this share of the budget


@dataclass(frozen=True)
class Budget:
    """What every learner may spend on meta-training: either `steps`, or `minutes` with validation counted in.

    Raises:
        UsageError: unless exactly one is said, and above 0.
    """

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        said = [value for value in (self.minutes, self.steps) if value is not None]
        if len(said) != 1:
            raise UsageError("one budget for all: say either minutes or steps (--minutes, --steps)")
        if not 0 < said[0] < math.inf:
            raise UsageError(f"the budget must be above 0 and finite, not {said[0]!r}")

    def __str__(self) -> str:
        return f"{self.minutes:g} min of meta-training each" if self.minutes else f"{self.steps:,} steps each"


@dataclass(frozen=True)
class Pace:
    """Seconds that a meta-step and a validation take, and the plan by which steps were run meanwhile."""

    step: float
    validation: float
    plan: str

    def fit(self, seconds: float, every: int | None) -> tuple[int, int]:
        """How many steps fit in a time, validations counted in, and how often one validates; at least 1 each.

        Args:
            every: steps from one validation to the next; None: ten validations, or fewer where ten would take more
                than their share of the time.
        """
        if every is not None:
            return max(1, int(seconds / (self.step + self.validation / every))), every
        often = VALIDATIONS
        if often * self.validation > VALIDATION_SHARE * seconds:
            often = max(1, int(VALIDATION_SHARE * seconds / self.validation))
        steps = max(1, int((seconds - often * self.validation) / self.step))
        return steps, math.ceil(steps / often)

    def seconds(self, steps: int, every: int) -> float:
        """How long so many steps take, validations counted in."""
        return steps * self.step + self.validation * math.ceil(steps / every)


def measure(learner: Learner, train: Loader, val: Loader | None, config: Config, budget: float) -> Pace:
    """Time real meta-steps and validation tasks of a copy of the learner, after choosing its plan and warming up.

    Args:
        budget: seconds of the training to come, of which the timed steps take a small part.

    Raises:
        DataError: if the learner diverges at once.
    """
    trial, device = copy.deepcopy(learner), learner.device
    plan = config.plan
    if plan == "auto":
        plan = str(autotuned(trial, train, config)[0])

    def seconds_a_step(steps: int) -> float:
        short = dataclasses.replace(config, steps=steps, val_every=steps, patience=0, plan=plan)
        with tempfile.TemporaryDirectory() as folder:
            return Trainer(trial, train, None, short, Path(folder)).run().seconds / steps

    least, most = TRIAL_STEPS
    warm = seconds_a_step(2)
    step = seconds_a_step(max(least, min(most, int(min(TRIAL_SECONDS, TRIAL_SHARE * budget) / warm))))
    return Pace(step, _validation_seconds(trial, val, config.val_episodes, device), plan)


def _validation_seconds(learner: Learner, val: Loader | None, episodes: int, device: torch.device) -> float:
    if val is None:
        return 0.0
    run_episodes(learner, val, 2, device)
    timed = min(TRIAL_EPISODES, episodes)
    began = time.perf_counter()
    run_episodes(learner, val, timed, device)
    return (time.perf_counter() - began) * episodes / timed
