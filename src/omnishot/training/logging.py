"""The log of a training, its progress bar, and the signals that stop it."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
from torch.utils.tensorboard import SummaryWriter

from omnishot.core.storage import write_atomic


class Log:
    """`metrics.jsonl` and TensorBoard's curves of a run, which continue after `step`.

    Records of later steps, and of values chosen at the end of the training, are removed: a resumed training writes
    them again. So is a line that was cut off.

    Args:
        folder: of the run; None: nothing is written (ranks other than 0).
        step: of the checkpoint that training resumes from, 0 for a new one.
    """

    def __init__(self, folder: Path | None, step: int):
        if folder is None:
            return
        self.path = folder / "metrics.jsonl"
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True) if self.path.exists() else []
        write_atomic(
            self.path, "".join(line for line in lines if line.endswith("\n") and _stays(json.loads(line), step))
        )
        self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step or None)

    path: Path | None = None
    writer: SummaryWriter | None = None

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Values by name, at a step; TensorBoard gets the numbers."""
        if self.path is None or self.writer is None:
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            if isinstance(value, int | float):
                self.writer.add_scalar(name, value, step)


def _stays(record: Mapping[str, Any], step: int) -> bool:
    return record["step"] <= step and "tuned" not in record


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that the present step ends and is saved; a second one stops at once."""
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


def progress_bar(shown: bool) -> Progress:
    """A bar on stderr whose tasks have a `note`."""
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
