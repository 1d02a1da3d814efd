"""The one training loop."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from omnishot.artifacts import flatten, pack, read_tensors, unflatten, write_atomic
from omnishot.config import Config
from omnishot.episodes.loader import Loader
from omnishot.episodes.rows import Episode
from omnishot.errors import DataError, OmnishotError
from omnishot.evaluation import run_episodes
from omnishot.learners.base import Learner

CHECKPOINT = "checkpoint.safetensors"


class Interrupted(OmnishotError):
    """Training was stopped by a signal; the run can be resumed."""


@dataclass
class Progressed:
    """Where a training stands: all that a checkpoint holds beside tensors."""

    step: int = 0
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    seconds: float = 0.0


def meta_train(
    learner: Learner,
    train: Loader,
    val: Loader | None,
    config: Config,
    folder: Path,
    *,
    resume: bool = False,
    progress: bool = True,
) -> Progressed:
    """Meta-train, select on validation tasks, leave `last/` and `best/` checkpoints; the learner ends as the best.

    Every meta-batch depends on the seed and the step alone, so a resumed run repeats what an uninterrupted one
    does. Without validation the last parameters are the best.

    Raises:
        Interrupted: on SIGINT or SIGTERM, after saving; says how to go on.
        DataError: if the loss is no longer finite, or the checkpoint to resume from is damaged.
    """
    optimizer = torch.optim.AdamW(learner.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    state = _resume(learner, optimizer, folder) if resume else Progressed()
    _truncate(folder / "metrics.jsonl", state.step)
    device = next(learner.parameters()).device
    vectorize = device.type != "cpu" if config.vectorize is None else config.vectorize
    every = config.val_every or max(1, math.ceil(config.steps / 10))
    began = time.perf_counter() - state.seconds
    writer = SummaryWriter(str(folder / "tensorboard"), purge_step=state.step or None)
    with writer, _signals() as stopped, _bar(progress) as bar:
        row = bar.add_task("meta-training", total=config.steps, completed=state.step, note="")
        steps = range(state.step, config.steps)
        for step, batch in zip(steps, train.stream(state.step, config.steps), strict=True):
            if config.patience and state.stale >= config.patience:
                break
            losses = _step(learner, optimizer, batch.to(device), config, step, vectorize)
            state.step = step + 1
            _log(folder, writer, state.step, {"loss": losses.mean().item()})
            if state.step % every == 0 or state.step == config.steps:
                if val is not None:
                    note = _validate(learner, val, config, state, folder, writer, device)
                    bar.update(row, note=note)
                state.seconds = time.perf_counter() - began
                _save(learner, optimizer, state, folder)
            bar.advance(row)
            if stopped.is_set():
                state.seconds = time.perf_counter() - began
                _save(learner, optimizer, state, folder)
                raise Interrupted(
                    f"stopped at step {state.step} of {config.steps}; to go on, repeat the command with --resume "
                    f"(or om.train(…, out={str(folder)!r}, resume=True))"
                )
    state.seconds = time.perf_counter() - began
    _save(learner, optimizer, state, folder)
    if state.best is None:
        write_atomic(folder / "best" / CHECKPOINT, pack(learner.params(), asdict(state)))
    load_parameters(learner, folder / "best" / CHECKPOINT)
    return state


def load_parameters(learner: Learner, path: Path) -> dict:
    """Fill a learner from a checkpoint; returns the facts stored with it.

    Raises:
        DataError: if the file is damaged or belongs to another learner.
    """
    tensors, about = read_tensors(path)
    own = {n.removeprefix("learner/"): t for n, t in tensors.items() if not n.startswith("optimizer/")}
    try:
        learner.load_state_dict(own)
    except RuntimeError as error:
        raise DataError(f"{path} does not fit this run's learner: {error}") from None
    return about


def _step(
    learner: Learner, optimizer: torch.optim.Optimizer, batch: Episode, config: Config, step: int, vectorize: bool
) -> Tensor:
    """One meta-step; its randomness, like its batch, depends on the seed and the step alone."""
    torch.manual_seed(config.seed * 1_000_003 + step)
    for group in optimizer.param_groups:
        group["lr"] = (
            config.lr * min(1, (step + 1) / (config.warmup + 1)) * (1 + math.cos(math.pi * step / config.steps)) / 2
        )
    optimizer.zero_grad(set_to_none=False)
    losses = learner.backward(batch, vectorize)
    if not torch.isfinite(losses).all():
        raise DataError(
            f"the loss is {losses.mean().item()} at step {step}: the inner loop or the training diverged; "
            "try a smaller inner_rate or lr. The last checkpoint is whole"
        )
    torch.nn.utils.clip_grad_norm_(learner.parameters(), config.clip)
    optimizer.step()
    return losses


def _validate(
    learner, val: Loader, config: Config, state: Progressed, folder: Path, writer: SummaryWriter, device: torch.device
) -> str:
    """Score on validation tasks, always the same; keep the parameters if they are the best so far."""
    scores = run_episodes(learner, val, config.val_episodes, device)
    metric = learner.objective.metric
    mean, ci95 = scores[metric]
    _log(
        folder,
        writer,
        state.step,
        {f"val_{name}": value for name, (value, _) in scores.items()} | {f"val_{metric}_ci95": ci95},
    )
    better = state.best is None or (mean > state.best if learner.objective.higher_is_better else mean < state.best)
    if better:
        state.best, state.best_step, state.stale = mean, state.step, 0
        write_atomic(folder / "best" / CHECKPOINT, pack(learner.params(), asdict(state)))
    else:
        state.stale += 1
    return f"validation {metric} {mean:.3f} ± {ci95:.3f}, best {state.best:.3f}"


def _save(learner: Learner, optimizer: torch.optim.Optimizer, state: Progressed, folder: Path) -> None:
    names = [name for name, _ in learner.named_parameters()]
    moments = {names[i]: values for i, values in optimizer.state_dict()["state"].items()}
    tensors = flatten({"learner": learner.params(), "optimizer": moments})
    write_atomic(folder / "last" / CHECKPOINT, pack(tensors, asdict(state)))


def _resume(learner: Learner, optimizer: torch.optim.Optimizer, folder: Path) -> Progressed:
    path = folder / "last" / CHECKPOINT
    if not path.exists():
        return Progressed()
    about = load_parameters(learner, path)
    moments = unflatten(read_tensors(path)[0]).get("optimizer", {})
    saved = optimizer.state_dict()
    saved["state"] = {i: moments[n] for i, (n, _) in enumerate(learner.named_parameters()) if n in moments}
    optimizer.load_state_dict(saved)
    return Progressed(**{name: about[name] for name in Progressed.__dataclass_fields__})


def _truncate(path: Path, step: int) -> None:
    """Drop what was logged after the checkpoint that training goes on from, and a line cut off half-way."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    write_atomic(path, "".join(kept))


def _log(folder: Path, writer: SummaryWriter, step: int, values: dict[str, float]) -> None:
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, **values}) + "\n")
    for name, value in values.items():
        writer.add_scalar(name, value, step)


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that the step in hand ends and is saved; a second one stops at once."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(number: int, frame: object) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    old = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


class _Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.2f}/s" if task.speed else "–/s")


def _bar(shown: bool) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(*columns, console=Console(stderr=True), disable=not shown)
