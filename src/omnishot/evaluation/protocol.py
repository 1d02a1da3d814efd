"""The protocol of an evaluation: which tasks, under which corruption, and which further figures."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch

from omnishot.core.distributed import Ranks
from omnishot.episodes.corruption import CLEAN, Corruption
from omnishot.episodes.loader import Loader, Shape, least
from omnishot.episodes.missing import ALL
from omnishot.errors import DataError, UsageError
from omnishot.evaluation.evaluator import Evaluator
from omnishot.evaluation.figure import Figure, Origin
from omnishot.evaluation.new_modality import WithNewInputs, new_modality_figures
from omnishot.evaluation.open_set import open_set_figures
from omnishot.experiment.config import Config
from omnishot.experiment.dataset import Dataset, Tasks
from omnishot.experiment.new_modality import NewColumns, kinds_of
from omnishot.learners.base import Learner
from omnishot.table.splits import PARTS


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The tasks that a run is evaluated on, and the figures that are computed.

    Args:
        split, episodes, seed: the part of the table, the number of tasks, and the seed that they are drawn by.
        ways, shots, queries: shape of a task; None: as in training, with fewer ways where the part has fewer classes,
            and as many query rows as available, up to 15.
        adapted: whether the support rows are learned before query rows are predicted.
        corruption: what is done to the inputs.
        open_set: number of further classes with query rows and no support rows, evaluated on separate tasks.
        new: columns that training did not have: figures with them and without them, and the improvement.
        subsets: with several inputs and no corruption, also figures of each input alone and of half of all cells
            missing.

    Raises:
        UsageError: for options that are invalid alone or together.
    """

    split: str = "test"
    episodes: int = 600
    seed: int = 0
    ways: int | None = None
    shots: int | None = None
    queries: int | None = None
    adapted: bool = True
    corruption: Corruption = CLEAN
    open_set: int = 0
    new: NewColumns = ()
    subsets: bool = True

    def __post_init__(self) -> None:
        if self.episodes < 2:
            raise UsageError(f"episodes must be at least 2 to give an interval, not {self.episodes}")
        if self.split not in PARTS:
            raise UsageError(f"split must be one of {', '.join(PARTS)}, not {self.split!r}")
        for name, fewest in (("seed", 0), ("ways", 2), ("shots", 1), ("queries", 1), ("open_set", 0)):
            number = getattr(self, name)
            if number is not None and number < fewest:
                raise UsageError(f"{name} must be at least {fewest}, not {number}")
        if self.new and self.corruption.attack is not None:
            raise UsageError("an attack does not reach new inputs: measure one after the other (attack, or new)")
        if not self.adapted and (self.new or self.open_set):
            option = "new" if self.new else "open_set"
            raise UsageError(f"{option} needs tasks that are adapted to: leave it out, or adapted=False (--unadapted)")
        if self.open_set and self.corruption.attack is not None:
            raise UsageError("open-set rows are not scored under an attack: leave out open_set, or attack")

    def figures(
        self,
        learner: Learner,
        config: Config,
        ways: Any,
        data: Dataset,
        device: torch.device,
        ranks: Ranks,
        progress: bool = False,
    ) -> list[Figure]:
        """The figures of a learner that was trained with `config` on tasks of `ways` classes (a number or a range).

        Raises:
            DataError: if the part has too few classes or rows.
            UsageError: for open-set classes where the run predicts a number, or for figures before adapting of a
                learner that has no prediction then.
        """
        shots = self.shots or least(config.shots)
        tasks = data.tasks(self.split, shots, self.queries, skip_small=config.skip_bad)
        own_ways = checked_ways(self.ways, tasks, self.split) or evaluation_ways(least(ways), tasks)
        shape = Shape(min(8, self.episodes), own_ways, shots, tasks.queries)
        # Each cell is read about once: inputs stay in main memory, and only the rows that are drawn go to the device.
        store = data.store.to(device, 0)
        loader = Loader(
            store, tasks.source, shape, seed=self.seed, extra_shots=config.extra_shots, corruption=self.corruption
        )
        origin = Origin(config.learner, config.fused_by, self.split)
        evaluator = Evaluator(
            learner, loader, self.episodes, device, ranks=ranks, adapted=self.adapted, origin=origin
        )  # fmt: skip
        wider = _with_classes(loader, self.open_set, tasks, self.split) if self.open_set else None
        figures: list[Figure] = []
        if self.new:
            with_new = WithNewInputs(learner, loader, data.table, kinds_of(data.table, self.new), config.skip_bad)
            label = "evaluating" if progress else None
            figures += new_modality_figures(dataclasses.replace(evaluator, label=label), with_new)
        conditions = [] if self.new else _conditions(loader) if self.subsets else [loader]
        for i, each in enumerate(conditions, 1):
            label = f"evaluating {i}/{len(conditions)}" if progress else None
            figures += dataclasses.replace(evaluator, loader=each, label=label).figures()
        if wider is not None:
            label = f"evaluating with {self.open_set} open-set classes" if progress else None
            figures += open_set_figures(dataclasses.replace(evaluator, loader=wider, label=label), self.open_set)
        return figures


def checked_ways(ways: int | None, tasks: Tasks, part: str) -> int | None:
    """The number of classes of a task; None where tasks have no classes.

    Raises:
        DataError: if the part has fewer.
    """
    if tasks.ways is None or ways is None:
        return None
    if ways > tasks.ways:
        raise DataError(
            f"{ways} ways need {ways} classes with enough rows in every task, the part {part!r} has {tasks.ways}: "
            f"ask for {tasks.ways} ways or fewer, or add rows"
        )
    return ways


def evaluation_ways(training: int | None, tasks: Tasks) -> int | None:
    """Classes of a task where no number was asked for: as in training, or fewer if the part has fewer."""
    return None if training is None or tasks.ways is None else min(training, tasks.ways)


def _conditions(loader: Loader) -> list[Loader]:
    """The tasks unchanged; without a corruption and with several inputs, also each input alone and half of all cells
    missing.
    """
    names = list(loader.store.modalities)
    if loader.corruption.changes_cells or len(names) == 1:
        return [loader]
    alone = [dataclasses.replace(loader, only=(name,)) for name in names]
    return [loader, *alone, dataclasses.replace(loader, corruption=Corruption(missing={ALL: 0.5}))]


def _with_classes(loader: Loader, more: int, tasks: Tasks, part: str) -> Loader:
    """The loader of tasks with more classes.

    Raises:
        DataError: if the part has too few classes.
        UsageError: if there are no classes.
    """
    ways, most = loader.shape.ways, tasks.ways
    if not isinstance(ways, int) or most is None:
        raise UsageError("open_set is a number of classes, but this run does not predict a class: leave it out")
    if ways + more > most:
        less = f"{most - ways} open-set classes or fewer" if most > ways else "fewer ways"
        raise DataError(
            f"{ways} ways and {more} open-set classes need {ways + more} classes with enough rows in every task, the "
            f"part {part!r} has {most}: ask for {less}, or add rows of other classes"
        )
    return dataclasses.replace(loader, shape=dataclasses.replace(loader.shape, ways=ways + more))
