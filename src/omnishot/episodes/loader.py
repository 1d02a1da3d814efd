"""Meta-batches: drawn, gathered and prepared in the background, each a pure function of the seed and the step."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from omnishot.episodes.missing import drop, remove
from omnishot.episodes.rows import Episode, Rows
from omnishot.episodes.store import Store
from omnishot.episodes.tasks import Draw, TaskSource

#: A number, or a range (both ends included) from which one is drawn for each meta-batch.
Range = int | tuple[int, int]


def pick(rng: np.random.Generator, value: Range) -> int:
    """The number, or one drawn from the range."""
    return value if isinstance(value, int) else int(rng.integers(value[0], value[1] + 1))


@dataclass(frozen=True)
class Shape:
    """What the tasks of a meta-batch look like; `ways` is None where the target is a number."""

    tasks: int
    ways: Range | None
    shots: Range
    queries: int


@dataclass(frozen=True)
class Loader:
    """Draws meta-batches from a store.

    Args:
        store: the decoded table.
        source: where its tasks come from.
        shape: what they look like.
        seed: with the step number, all that a meta-batch depends on.
        labels: int64 `[n]`, each row's class among all training classes, for joint training.
        rotations: turn the pictures of each class of a task by its own number of quarter turns, so that every
            class counts as four (Vinyals et al. 2016, §4.1.1).
        dropout: rate of modality dropout.
        missing: share of cells taken away, by input name or `*`.
        noise: noise level by input name.
        only: the inputs that are left present; empty: all.
    """

    store: Store
    source: TaskSource
    shape: Shape
    seed: int = 0
    labels: np.ndarray | None = None
    rotations: bool = False
    dropout: float = 0.0
    missing: Mapping[str, float] = field(default_factory=dict)
    noise: Mapping[str, float] = field(default_factory=dict)
    only: tuple[str, ...] = ()

    def batch(self, step: int) -> Episode:
        """The meta-batch of one step, with leading dimensions `[tasks, rows]`."""
        # What is drawn and what is spoiled have generators of their own: the same tasks under other noise.
        rng, spoil = np.random.default_rng([self.seed, step, 0]), np.random.default_rng([self.seed, step, 1])
        shape = self.shape
        ways = None if shape.ways is None else pick(rng, shape.ways)
        draw = self.source.draw(rng, shape.tasks, ways, pick(rng, shape.shots), shape.queries)  # type: ignore[arg-type]
        turns = rng.integers(4, size=(shape.tasks, ways)) if self.rotations and ways is not None else None
        support = self._rows(draw.support, draw.support_target, draw, turns, spoil)
        query = self._rows(draw.query, draw.query_target, draw, turns, spoil)
        return Episode(support, query)

    def _rows(
        self,
        index: np.ndarray,
        classes: np.ndarray | None,
        draw: Draw,
        turns: np.ndarray | None,
        spoil: np.random.Generator,
    ) -> Rows:
        turned = None if turns is None or classes is None else np.take_along_axis(turns, classes, 1)
        rows = self.store.gather(index, turns=turned, noise=self.noise, seed=int(spoil.integers(2**63)))
        present = rows.present.numpy()
        if self.only:
            present = present & np.isin(list(self.store.modalities), self.only)
        if self.missing:
            present = remove(present, list(self.store.modalities), self.missing, spoil)
        if self.dropout:
            present = drop(present, self.dropout, spoil)
        if classes is None:
            assert self.store.target is not None
            target = torch.from_numpy(self.store.target[index])
        else:
            target = torch.from_numpy(classes.copy())
        label = None
        if self.labels is not None:
            of_class = self.labels[index]
            label = torch.from_numpy(of_class if turned is None else 4 * of_class + turned)
        return Rows(rows.inputs, torch.from_numpy(present), target, label, draw.ways)

    def stream(self, start: int, stop: int, ahead: int = 2) -> Iterator[Episode]:
        """Meta-batches of steps `start` to `stop`, prepared up to `ahead` of them in a background thread.

        An error in the background is raised here, at the step where it happened.
        """
        ready: queue.Queue[Episode | BaseException] = queue.Queue(maxsize=ahead)
        done = threading.Event()

        def work() -> None:
            for step in range(start, stop):
                try:
                    item: Episode | BaseException = self.batch(step)
                except BaseException as error:
                    item = error
                while not done.is_set():
                    try:
                        ready.put(item, timeout=0.1)
                        break
                    except queue.Full:
                        continue
                if done.is_set() or isinstance(item, BaseException):
                    return

        thread = threading.Thread(target=work, name="omnishot-loader", daemon=True)
        thread.start()
        try:
            for _ in range(start, stop):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            done.set()
            thread.join()
