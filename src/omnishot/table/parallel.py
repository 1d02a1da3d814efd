"""Work on many cells at once in threads, with a progress bar (files and decoders release the interpreter)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
CHUNK = 256
QUIET_SECONDS = 30


def in_chunks(
    work: Callable[[range], T], count: int, *, label: str | None = None, workers: int | None = None
) -> Iterator[T]:
    """`work` on consecutive ranges that together cover `range(count)`; results come in order.

    An exception, Ctrl-C included, cancels the chunks that have not started and is raised here.

    Args:
        label: shows a progress bar on stderr (a line now and then if that is no terminal); None shows nothing.
    """
    chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    if label is None and len(chunks) < 2:  # threads and a progress bar would take longer than so little work
        yield from map(work, chunks)
        return
    pool = ThreadPoolExecutor(workers or min(32, os.cpu_count() or 1))
    advance = _progress(label, count)
    try:
        next(advance)
        futures = [pool.submit(work, chunk) for chunk in chunks]
        for chunk, future in zip(chunks, futures, strict=True):
            yield future.result()
            advance.send(len(chunk))
    finally:
        advance.close()
        pool.shutdown(wait=True, cancel_futures=True)


def _progress(label: str | None, count: int) -> Generator[None, int, None]:
    """A coroutine that receives how many more cells are done."""
    console = Console(stderr=True)
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*bar, console=console, disable=label is None or not console.is_terminal) as progress:
        task, done, printed = progress.add_task(label or "", total=count), 0, time.monotonic()
        while True:
            done += yield
            progress.update(task, completed=done)
            if label and progress.disable and time.monotonic() - printed > QUIET_SECONDS:
                console.print(f"{label}: {done:,} of {count:,}")
                printed = time.monotonic()
