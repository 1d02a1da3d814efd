"""Contenders that each run in a process of their own, one at a time, in turn.

A library then has its own allocator state and its own caches: what one does with memory helps or harms no other.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import timing
import torch
from torch import Tensor, nn

from omnishot.core.malloc import keep_freed_memory
from omnishot.episodes.rows import Episode
from omnishot.experiment.plan import Plan
from omnishot.learners.base import Learner
from omnishot.training.engine import autotune

CHECKED = 2  # tasks that tell whether gradients are the same; float64 is slow

#: Adds the meta-gradient of a meta-batch to the parameters' `.grad`.
Backward = Callable[[Episode], object]
#: A model and its meta-gradient; None: that of the library's engine, by the plan that its trial chooses.
Build = Callable[[torch.dtype], tuple[nn.Module, Backward | None]]


@dataclass(frozen=True)
class Race:
    """What all contenders of a race do.

    Args:
        batch: a meta-batch of so many tasks of a type.
        tasks: of the meta-batch that is timed.
        allocator: `own`: the library keeps freed memory, as `omnishot train` does, the others are as they come;
            `same`: everybody keeps it.
        steps: meta-steps a turn.
    """

    batch: Callable[[int, torch.dtype], Episode]
    tasks: int = 16
    allocator: str = "own"
    steps: int = 1

    def titled(self, title: str) -> str:
        """The title of a figure, with whatever is not as usual."""
        return f"{title}, same allocator" if self.allocator == "same" else title


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every race takes."""
    parser.add_argument("--tasks", type=int, default=16, help="a step")
    parser.add_argument(
        "--allocator",
        choices=("own", "same"),
        default="own",
        help="own: the library keeps freed memory, as it does in training, the others are as they come; same: all do",
    )


def run(race: Race, contenders: Mapping[str, Build], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of a meta-step of every contender, `[rounds]`; the first one is the library.

    `contenders` are sent to their processes, so each is a function of a module or a `partial` of one. Nothing is
    timed before everybody's meta-gradient has been found the same in float64.

    Raises:
        SystemExit: if a meta-gradient differs, or a contender fails.
    """
    with contextlib.ExitStack() as stack:
        # One after the other: the library's trial of plans wants a quiet machine.
        runners = [stack.enter_context(_Runner(name, build, race)) for name, build in contenders.items()]
        agree({runner.name: runner.ask("gradient") for runner in runners})
        turns = {runner.name: partial(runner.ask, "step") for runner in runners}
        return timing.interleave(turns, rounds, warmup=2, clock=lambda turn: turn())


def against_fastest(title: str, seconds: Mapping[str, np.ndarray], at_least: float | None = None) -> list[dict]:
    """Records of meta-steps per second, with ratios to the fastest (by its median) of all but the first contender."""
    peers = list(seconds)[1:]
    fastest = min(peers, key=lambda name: float(np.median(seconds[name])))
    return timing.compare(title, "steps", 1, seconds, fastest, at_least)


def agree(gradients: Mapping[str, np.ndarray], tolerance: float = 1e-8) -> None:
    """Stop unless all meta-gradients equal the first one, to `tolerance` of its norm.

    Raises:
        SystemExit: if one does not.
    """
    ours = next(iter(gradients.values()))
    for name, theirs in gradients.items():
        error = float(np.linalg.norm(theirs - ours) / np.linalg.norm(ours))
        print(f"meta-gradient of {name}: relative error {error:.1e}", file=sys.stderr)
        if not error < tolerance:
            raise SystemExit(f"the meta-gradient of {name} differs from the library's by {error:.1e}: do not compare")


class _Runner:
    """A contender's process, which does something when asked and only then."""

    def __init__(self, name: str, build: Build, race: Race):
        context = multiprocessing.get_context("spawn")
        self.asking, answering = context.Pipe()
        arguments = (answering, build, race, torch.get_num_threads())
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        answering.close()
        self.name = name
        plan = self._answer()
        self.name = f"{name} (plan {plan})" if plan else name

    def __enter__(self) -> _Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.asking.close()
        self.process.join(10)
        self.process.terminate()

    def ask(self, what: str) -> Any:
        self.asking.send(what)
        return self._answer()

    def _answer(self) -> Any:
        try:
            return self.asking.recv()
        except EOFError:
            raise SystemExit(f"{self.name} failed: see its message above") from None


def _serve(pipe: Connection, build: Build, race: Race, threads: int) -> None:
    """Say the plan (None for others than the library), then answer `gradient` and `step` until the pipe closes."""
    torch.set_num_threads(threads)
    model, backward = build(torch.float32)
    if (backward is None or race.allocator == "same") and not keep_freed_memory():
        print("the allocator's settings could not be changed here", file=sys.stderr)
    batch = race.batch(race.tasks, torch.float32)
    plan = None
    if backward is None:
        assert isinstance(model, Learner)
        plan, _ = autotune.choose(model, batch)
    pipe.send(plan and str(plan))
    step = meta_step(model, _planned(model, backward, plan), batch)
    with contextlib.suppress(EOFError):
        while True:
            if pipe.recv() == "gradient":
                exact, backward = build(torch.float64)
                pipe.send(gradient(exact, _planned(exact, backward, plan), race))
            else:
                pipe.send(seconds_of(step, race.steps))


def _planned(model: nn.Module, backward: Backward | None, plan: Plan | None) -> Backward:
    """Somebody's own meta-gradient, or the library's by its plan."""
    if backward:
        return backward
    assert isinstance(model, Learner)
    assert plan
    return partial(model.backward, plan=plan)


def gradient(model: nn.Module, backward: Backward, race: Race) -> np.ndarray:
    """The meta-gradient of a few tasks in float64, all parameters in their order as one vector."""
    backward(race.batch(min(CHECKED, race.tasks), torch.float64))
    parts: Sequence[Tensor] = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
    return torch.cat([part.flatten() for part in parts]).numpy()


def meta_step(model: nn.Module, backward: Backward, batch: Episode) -> Callable[[], None]:
    """One whole step: gradient of the meta-batch, then the outer optimiser."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        backward(batch)
        optimizer.step()

    return step


def seconds_of(step: Callable[[], None], times: int) -> float:
    """Seconds that one of `times` steps takes."""
    began = time.perf_counter()
    for _ in range(times):
        step()
    return (time.perf_counter() - began) / times
