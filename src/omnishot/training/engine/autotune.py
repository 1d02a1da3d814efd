"""Which way to run a meta-batch is fastest here: a short trial of the engine's plans, kept for the next run."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from omnishot.episodes.rows import Episode, Rows
from omnishot.experiment.plan import Plan
from omnishot.learners.base import Learner
from omnishot.training.engine.cuda_graph import NotRecorded, runner

REPEATS = 2  # timed runs of a plan, after one that warms up; the faster counts
WORTHWHILE = 0.97  # more tasks at a time must bring a task to this fraction of its time, or be the last that is tried
VERSION = 2


def choose(learner: Learner, batch: Episode, folder: Path | None = None) -> tuple[Plan, dict[str, float]]:
    """The fastest plan for this learner, these shapes and this device.

    Every way is tried with 1, 2, 4 … tasks at a time for as long as that makes a task faster, so memory does not grow
    for nothing. The parameters' gradients are as before afterwards.

    Args:
        batch: a meta-batch like those to come, on the learner's device.
        folder: where measured plans are kept for the next run; None: nowhere.

    Returns:
        The plan, and the seconds a task took in every plan tried.
    """
    kept = folder / f"{_key(learner, batch)}.json" if folder else None
    if kept and (choice := _read(kept)):
        return choice
    gradients = [p.grad for p in learner.parameters()]
    state = torch.get_rng_state()
    seconds: dict[str, float] = {}
    for way in ("loop", "split", "vmap"):
        if way == "split" and not learner.splits:
            continue
        for tasks in _chunks(way, batch.tasks):
            plan = Plan(way, None if way == "loop" or tasks == batch.tasks else tasks)
            seconds[str(plan)] = _seconds(learner, batch.select(slice(tasks)), plan)
            before = str(Plan(way, tasks // 2))
            if before in seconds and seconds[str(plan)] > WORTHWHILE * seconds[before]:
                break
    if batch.support.present.device.type == "cuda" and not learner.needs.scheduled:
        for way in {min(seconds, key=seconds.__getitem__), "vmap"}:
            plan = dataclasses.replace(Plan.parse(way), cuda_graph=True)
            with contextlib.suppress(NotRecorded):
                seconds[str(plan)] = _seconds(learner, batch, plan)
    torch.set_rng_state(state)
    for p, g in zip(learner.parameters(), gradients, strict=True):
        p.grad = g
    plan = Plan.parse(min(seconds, key=seconds.__getitem__))
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{time.time_ns()}")
        partial.write_text(json.dumps({"plan": str(plan), "seconds": seconds}), encoding="utf-8")
        partial.replace(kept)
    return plan, seconds


def _chunks(way: str, tasks: int) -> Iterator[int]:
    """How many tasks at a time to try: 1 in a loop, else 2, 4 … and all."""
    if way == "loop" or tasks == 1:
        yield 1
        return
    chunk = 2
    while chunk < tasks:
        yield chunk
        chunk *= 2
    yield tasks


def _seconds(learner: Learner, batch: Episode, plan: Plan) -> float:
    """What one task takes."""
    taken = []
    for p in learner.parameters():
        p.grad = None
    run = runner(learner, plan)
    for _ in range(1 + REPEATS):
        _wait(batch)
        began = time.perf_counter()
        run(batch, 0.0)
        _wait(batch)
        taken.append(time.perf_counter() - began)
    return min(taken[1:]) / batch.tasks


def _wait(batch: Episode) -> None:
    """An accelerator works on while Python goes ahead."""
    if batch.support.present.device.type != "cpu":
        torch.accelerator.synchronize()


def _read(path: Path) -> tuple[Plan, dict[str, float]] | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Plan.parse(kept["plan"]), dict(kept["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _key(learner: Learner, batch: Episode) -> str:
    """All that the times depend on: the method, its parameters' and the rows' shapes, the device, its threads."""
    device = batch.support.present.device
    about = {
        "version": VERSION,
        "objective": f"{type(learner.objective).__module__}.{type(learner.objective).__qualname__}",
        "modules": {name: _settings(module) for name, module in learner.named_modules()},
        "parameters": {name: list(p.shape) for name, p in learner.named_parameters()},
        "dtype": str(next(learner.parameters()).dtype),
        "support": _shapes(batch.support),
        "query": _shapes(batch.query),
        "autocast": torch.is_autocast_enabled(device.type),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16).hexdigest()


def _settings(module: nn.Module) -> tuple[str, dict[str, Any]]:
    """The class of a module, and its attributes of plain values: inner steps, what they move, strides, heads."""
    values = {name: value for name, value in vars(module).items() if not name.startswith("_") and _plain(value)}
    return f"{type(module).__module__}.{type(module).__qualname__}", values


def _plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _shapes(rows: Rows) -> dict[str, list[int]]:
    return {name: list(x.shape) for name, x in (*rows.inputs.items(), ("present", rows.present))}
