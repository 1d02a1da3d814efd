"""Meta-batches, drawn, gathered and prepared in the background; each is a pure function of the seed and the step."""

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
from omnishot.episodes.corruption import CLEAN, HALVES, Corruption
from omnishot.episodes.crossing import crossed, keep
from omnishot.episodes.missing import drop, remove
from omnishot.episodes.rows import Episode, Rows
from omnishot.episodes.shots import learned_from
from omnishot.episodes.store import Store, placed
from omnishot.episodes.tasks import Draw, TaskSource

#: A number, or a range (both ends included) from which one is drawn for each meta-batch.
Range = int | tuple[int, int]


def pick(rng: np.random.Generator, value: Range) -> int:
    """The number, or one drawn from the range."""
    return value if isinstance(value, int) else int(rng.integers(value[0], value[1] + 1))


def least(value: Any) -> Any:
    """A number, or the lower end of a range."""
    return min(value) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Shape:
    """The shape of the tasks of a meta-batch; `ways` is None where the target is a number."""

    tasks: int
    ways: Range | None
    shots: Range
    queries: int


@dataclass(frozen=True)
class _Half:
    """The support or query rows of a meta-batch.

    Args:
        name: `support` or `query`.
        rows: row numbers `[tasks, rows]`.
        target: `[tasks, rows, …]`.
        turns: quarter turns of each row's pictures `[tasks, rows]`, or None.
    """

    name: str
    rows: np.ndarray
    target: np.ndarray
    turns: np.ndarray | None


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
        corruption: what is done to the inputs. An attack needs a learned task, new inputs a table: both are added later
            (`omnishot.evaluation`).
        noise_varies: every cell has a noise level of its own, drawn evenly up to that one.
        augment: how much cells vary (0…1), by input name.
        only: the inputs that are left present, before the corruption; empty: all.
        cross: fraction of the tasks whose support rows have one input only, drawn at random, and whose query rows have
            another; a row that lacks it keeps what it has.
        extra_shots: give every cell of a support row as a row of its own too (`omnishot.episodes.shots`).
        shard: (rank, world): make only every `world`-th task of a meta-batch, starting with task `rank`. Each task is
            the same as in the whole meta-batch. Rank 3 of 4 has none of 2 tasks.
    """

    store: Store
    source: TaskSource
    shape: Shape
    seed: int = 0
    labels: np.ndarray | None = None
    rotations: bool = False
    dropout: float | Mapping[str, float] = 0.0
    corruption: Corruption = CLEAN
    noise_varies: bool = False
    augment: Mapping[str, float] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    cross: float = 0.0
    extra_shots: bool = False
    shard: tuple[int, int] = (0, 1)

    def batch(self, step: int) -> Episode:
        """The meta-batch of one step, with leading dimensions `[tasks, rows]`, on the store's device."""
        # Rows and corruption have separate generators, so that the noise does not change which tasks are drawn.
        rng, corruption_rng = seeds.tasks(self.seed, step), seeds.corruption(self.seed, step)
        ways, draw = self._draw(rng)
        halves = self._halves(draw, ways, rng)
        inputs = self._inputs(halves, int(corruption_rng.integers(2**63)))
        kept: Sequence[np.ndarray | None] = (None, None)
        if self.cross:
            kept = tuple(crossed(self.shape.tasks, len(self.store.modalities), self.cross, corruption_rng))
        support, query = (
            Rows(cells, self._present(half, names, corruption_rng), self._target(half), self._label(half), ways)
            for half, cells, names in zip(halves, inputs, kept, strict=True)
        )
        return Episode(learned_from(support, self.extra_shots), query)

    def rows(self, step: int) -> Draw:
        """The rows of the store that the tasks of a step consist of."""
        return self._draw(seeds.tasks(self.seed, step))[1]

    def _draw(self, rng: np.random.Generator) -> tuple[int | None, Draw]:
        shape = self.shape
        ways = None if shape.ways is None else pick(rng, shape.ways)
        draw = self.source.draw(rng, shape.tasks, ways, pick(rng, shape.shots), shape.queries)  # type: ignore[arg-type]
        return ways, draw

    def _halves(self, draw: Draw, ways: int | None, rng: np.random.Generator) -> tuple[_Half, _Half]:
        if draw.support_target is None or draw.query_target is None:
            targets = self.store.targets(draw.support, draw.query)
        else:
            targets = draw.support_target, draw.query_target
        turns: Sequence[np.ndarray | None] = (None, None)
        if self.rotations and ways is not None:
            of_class = rng.integers(4, size=(self.shape.tasks, ways))
            turns = [np.take_along_axis(of_class, classes, 1) for classes in targets]
        support, query = (_Half(*each) for each in zip(HALVES, (draw.support, draw.query), targets, turns, strict=True))
        return support, query

    @property
    def _own(self) -> slice:
        """The tasks of a meta-batch that belong to this shard."""
        return slice(self.shard[0], None, self.shard[1])

    def _inputs(self, halves: Sequence[_Half], seed: int) -> list[dict[str, Tensor]]:
        """The inputs of both halves, gathered and prepared together: views of the same memory."""
        done = self.corruption
        chance = any(done.noise.values()) or any(self.augment.values()) or bool(done.failure)
        if chance and self.shard != (0, 1):  # random changes are drawn for all tasks at once
            whole = dataclasses.replace(self, shard=(0, 1))._inputs(halves, seed)
            return [{name: cells[self._own] for name, cells in half.items()} for half in whole]
        rows = [half.rows[self._own] for half in halves]
        turns = [half.turns[self._own].ravel() for half in halves if half.turns is not None]
        inputs = self.store.inputs(
            np.concatenate([each.ravel() for each in rows]),
            turns=np.concatenate(turns) if turns else None,
            noise=done.noise,
            augment=self.augment,
            failure=done.failure,
            noise_varies=self.noise_varies,
            seed=seed,
        )
        parts = {name: cells.split([each.size for each in rows]) for name, cells in inputs.items()}
        return [
            {name: cells[i].unflatten(0, each.shape) for name, cells in parts.items()} for i, each in enumerate(rows)
        ]

    def _present(self, half: _Half, kept: np.ndarray | None, rng: np.random.Generator) -> Tensor:
        """Which cells of a half's rows are present, of this shard's tasks; drawn for all tasks of the meta-batch."""
        present, names = self.store.present[half.rows], list(self.store.modalities)
        for inputs in (self.only, self.corruption.inputs_of(half.name)):
            if inputs:
                present = present & np.isin(names, inputs)
        if kept is not None:
            present = keep(present, kept)
        if self.corruption.missing and self.corruption.missing_in in ("all", half.name):
            present = remove(present, names, self.corruption.missing, rng)
        if self.dropout:
            present = drop(present, self._rates, rng)
        return placed(present[self._own], self.store.device)

    def _target(self, half: _Half) -> Tensor:
        return placed(half.target[self._own].copy(), self.store.device)

    def _label(self, half: _Half) -> Tensor | None:
        """Each row's class among all training classes and their rotations."""
        if self.labels is None:
            return None
        classes = self.labels[half.rows]
        return placed((classes if half.turns is None else 4 * classes + half.turns)[self._own], self.store.device)

    @property
    def _rates(self) -> float | np.ndarray:
        """The rate of modality dropout, of all inputs or of each."""
        if not isinstance(self.dropout, Mapping):
            return self.dropout
        return np.array([self.dropout.get(name, 0.0) for name in self.store.modalities])

    def stream(
        self, start: int, stop: int, ahead: int = 2, waited: Callable[[float], object] | None = None
    ) -> Iterator[Episode]:
        """Meta-batches of steps `start` to `stop`; up to `ahead` of them are prepared in a background thread.

        An error in the background is raised here, at the step where it happened.

        Args:
            waited: called for every meta-batch with the seconds spent waiting for it.
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
