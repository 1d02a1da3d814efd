"""Meta-batches: drawn, gathered and prepared in the background, each a pure function of the seed and the step."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from omnishot.core import seeds
from omnishot.episodes.crossing import crossed, keep
from omnishot.episodes.missing import drop, remove
from omnishot.episodes.rows import Episode, Rows
from omnishot.episodes.shots import learned_from
from omnishot.episodes.store import Store, placed
from omnishot.episodes.tasks import Draw, TaskSource

#: A number, or a range (both ends included) from which one is drawn for each meta-batch.
Range = int | tuple[int, int]


HALVES = ("support", "query")
MISSING_IN = ("all", *HALVES)


def pick(rng: np.random.Generator, value: Range) -> int:
    """The number, or one drawn from the range."""
    return value if isinstance(value, int) else int(rng.integers(value[0], value[1] + 1))


def least(value: Any) -> Any:
    """A number, or the lower end of a range."""
    return min(value) if isinstance(value, list | tuple) else value


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
        dropout: rate of modality dropout, for all inputs or by input name.
        missing: share of cells taken away, by input name or `*`.
        missing_in: the rows that they are taken from: `support`, `query` or `all`.
        noise: noise level by input name.
        noise_varies: every cell has a noise level of its own, drawn evenly up to that one.
        augment: by how much cells vary, by input name.
        failure: what fails (`Modality.fail`), by input name.
        only: the inputs that are left present; empty: all.
        support_inputs, query_inputs: those that are left present in support and in query rows; empty: all of `only`. A
            row that has none of them is empty, and can be answered by chance alone.
        cross: share of the tasks whose support rows have one input only, drawn at random, and whose query rows have
            another; a row that lacks it keeps what it has.
        extra_shots: give every cell of a support row as a row of its own too (`omnishot.episodes.shots`).
        share: (rank, world): make only every `world`-th task of a meta-batch, from task `rank` on, each as it would
            be among all of them. Rank 3 of 4 has none of 2 tasks.
    """

    store: Store
    source: TaskSource
    shape: Shape
    seed: int = 0
    labels: np.ndarray | None = None
    rotations: bool = False
    dropout: float | Mapping[str, float] = 0.0
    missing: Mapping[str, float] = field(default_factory=dict)
    missing_in: str = "all"
    noise: Mapping[str, float] = field(default_factory=dict)
    noise_varies: bool = False
    augment: Mapping[str, float] = field(default_factory=dict)
    failure: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    support_inputs: tuple[str, ...] = ()
    query_inputs: tuple[str, ...] = ()
    cross: float = 0.0
    extra_shots: bool = False
    share: tuple[int, int] = (0, 1)

    def batch(self, step: int) -> Episode:
        """The meta-batch of one step, with leading dimensions `[tasks, rows]`, on the store's device."""
        # What is drawn and what is spoiled have generators of their own: the same tasks under other noise.
        rng, spoil = seeds.tasks(self.seed, step), seeds.corruption(self.seed, step)
        shape = self.shape
        ways, draw = self._draw(rng)
        if draw.support_target is None or draw.query_target is None:
            targets = self.store.targets(draw.support, draw.query)
        else:
            targets = draw.support_target, draw.query_target
        halves = list(zip((draw.support, draw.query), targets, strict=True))
        turned: list[np.ndarray | None] = [None, None]
        if self.rotations and ways is not None:
            turns = rng.integers(4, size=(shape.tasks, ways))
            turned = [np.take_along_axis(turns, classes, 1) for classes in targets]
        inputs = self._inputs([index for index, _ in halves], turned, int(spoil.integers(2**63)))
        names = (self.support_inputs, self.query_inputs)
        kept = crossed(shape.tasks, len(self.store.modalities), self.cross, spoil) if self.cross else [None, None]
        support, query = (
            self._rows(half, *rows, turns, cells, spoil, ways, *left)
            for half, rows, turns, cells, left in zip(
                HALVES, halves, turned, inputs, zip(names, kept, strict=True), strict=True
            )
        )
        return Episode(learned_from(support, self.extra_shots), query)

    def rows(self, step: int) -> Draw:
        """Which rows of the store the tasks of a step are made of."""
        return self._draw(seeds.tasks(self.seed, step))[1]

    def _draw(self, rng: np.random.Generator) -> tuple[int | None, Draw]:
        shape = self.shape
        ways = None if shape.ways is None else pick(rng, shape.ways)
        draw = self.source.draw(rng, shape.tasks, ways, pick(rng, shape.shots), shape.queries)  # type: ignore[arg-type]
        return ways, draw

    def _inputs(
        self, halves: Sequence[np.ndarray], turned: Sequence[np.ndarray | None], seed: int
    ) -> list[dict[str, Tensor]]:
        """The inputs of both halves, gathered and prepared as one: views of the same memory."""
        own = slice(self.share[0], None, self.share[1])
        chance = any(self.noise.values()) or any(self.augment.values()) or bool(self.failure)
        if chance and self.share != (0, 1):  # which is drawn for all tasks at once
            whole = dataclasses.replace(self, share=(0, 1))._inputs(halves, turned, seed)
            return [{name: cells[own] for name, cells in half.items()} for half in whole]
        halves, turned = [half[own] for half in halves], [None if turn is None else turn[own] for turn in turned]
        turns = [turn.ravel() for turn in turned if turn is not None]
        index = np.concatenate([half.ravel() for half in halves])
        inputs = self.store.inputs(
            index,
            turns=np.concatenate(turns) if turns else None,
            noise=self.noise,
            augment=self.augment,
            failure=self.failure,
            noise_varies=self.noise_varies,
            seed=seed,
        )
        parts = {name: cells.split([half.size for half in halves]) for name, cells in inputs.items()}
        return [
            {name: cells[i].unflatten(0, half.shape) for name, cells in parts.items()} for i, half in enumerate(halves)
        ]

    def _rows(
        self,
        half: str,
        index: np.ndarray,
        target: np.ndarray,
        turned: np.ndarray | None,
        inputs: dict[str, Tensor],
        spoil: np.random.Generator,
        ways: int | None,
        names: tuple[str, ...],
        kept: np.ndarray | None,
    ) -> Rows:
        # What is taken away is drawn for all tasks at once.
        present, device, own = self.store.present[index], self.store.device, slice(self.share[0], None, self.share[1])
        for left in (self.only, names):
            if left:
                present = present & np.isin(list(self.store.modalities), left)
        if kept is not None:
            present = keep(present, kept)
        if self.missing and self.missing_in in ("all", half):
            present = remove(present, list(self.store.modalities), self.missing, spoil)
        if self.dropout:
            present = drop(present, self._rates, spoil)
        label = None
        if self.labels is not None:
            of_class = self.labels[index]
            label = placed((of_class if turned is None else 4 * of_class + turned)[own], device)
        return Rows(inputs, placed(present[own], device), placed(target[own].copy(), device), label, ways)

    @property
    def _rates(self) -> float | np.ndarray:
        """The rate of modality dropout, of all inputs or of each."""
        if not isinstance(self.dropout, Mapping):
            return self.dropout
        return np.array([self.dropout.get(name, 0.0) for name in self.store.modalities])

    def stream(
        self, start: int, stop: int, ahead: int = 2, waited: Callable[[float], object] | None = None
    ) -> Iterator[Episode]:
        """Meta-batches of steps `start` to `stop`, prepared up to `ahead` of them in a background thread.

        An error in the background is raised here, at the step where it happened.

        Args:
            waited: told for every meta-batch how many seconds it was waited for.
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
                began = time.perf_counter()
                item = ready.get()
                if waited is not None:
                    waited(time.perf_counter() - began)
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            done.set()
            thread.join()
