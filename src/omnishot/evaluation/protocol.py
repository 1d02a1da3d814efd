"""What a run is measured by: asked for, checked, made into tasks, and measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from omnishot.core.distributed import Ranks
from omnishot.episodes.loader import MISSING_IN, Loader, Shape, least
from omnishot.episodes.missing import ALL
from omnishot.episodes.store import failing_inputs, matching_inputs, named_inputs
from omnishot.errors import DataError, UsageError, choose
from omnishot.evaluation.attacks import Attack, attack_of
from omnishot.evaluation.episodes import Figure, figures
from omnishot.evaluation.new_modality import Meeting, gains
from omnishot.evaluation.open_set import open_set_figures
from omnishot.experiment.config import Config
from omnishot.experiment.dataset import Dataset, Tasks
from omnishot.experiment.new_modality import NewColumns, kinds_of
from omnishot.learners.base import Learner
from omnishot.modality.base import Modality
from omnishot.table.splits import PARTS


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The tasks that a run is measured on, what becomes of their cells, and what is measured besides.

    Args:
        split, episodes, seed, ways, shots, queries, adapted, open_set, new, subsets: as `Run.evaluate` takes them.
        spoiled: what becomes of cells, as a `Loader` takes it (`spoiled`).
        attack: on the query rows (`attack_said`).

    Raises:
        UsageError: for options that make no sense, alone or together.
    """

    split: str = "test"
    episodes: int = 600
    seed: int = 0
    ways: int | None = None
    shots: int | None = None
    queries: int | None = None
    adapted: bool = True
    open_set: int = 0
    new: NewColumns = ()
    subsets: bool = True
    spoiled: Mapping[str, Any] = field(default_factory=dict)
    attack: Attack | None = None

    def __post_init__(self) -> None:
        if self.episodes < 2:
            raise UsageError(f"episodes must be at least 2 to give an interval, not {self.episodes}")
        if self.split not in PARTS:
            raise UsageError(f"split must be one of {', '.join(PARTS)}, not {self.split!r}")
        for name, fewest in (("seed", 0), ("ways", 2), ("shots", 1), ("queries", 1), ("open_set", 0)):
            number = getattr(self, name)
            if number is not None and number < fewest:
                raise UsageError(f"{name} must be at least {fewest}, not {number}")
        if self.new and self.attack is not None:
            raise UsageError("an attack does not reach new inputs: measure one after the other (attack, or new)")
        if not self.adapted and (self.new or self.open_set):
            said = "new" if self.new else "open_set"
            raise UsageError(f"{said} is of tasks that were adapted to: leave it out, or adapted=False (--unadapted)")
        if self.open_set and self.attack is not None:
            raise UsageError("open-set rows are not scored under an attack: leave out open_set, or attack")

    def measure(
        self,
        learner: Learner,
        config: Config,
        ways: Any,
        data: Dataset,
        device: torch.device,
        ranks: Ranks,
        progress: bool = False,
    ) -> list[Figure]:
        """The figures of a learner that was trained as `config` says, with `ways` classes a task.

        Raises:
            DataError: if the part has too few classes or rows.
            UsageError: for classes where the run predicts a number, or figures before adapting of a learner that
                predicts nothing then.
        """
        shots = self.shots or least(config.shots)
        tasks = data.tasks(self.split, shots, self.queries, skip_small=config.skip_bad)
        asked = checked_ways(self.ways or least(ways), tasks, self.split)
        whole = Loader(
            data.store.to(device, 0),  # read once: it stays in memory, and only what is drawn goes to the device
            tasks.source,
            Shape(min(8, self.episodes), asked, shots, tasks.queries),
            seed=self.seed,
            extra_shots=config.extra_shots,
            **self.spoiled,
        )
        stranger = _with_outside(whole, self.open_set, tasks, self.split) if self.open_set else None
        about = {"learner": config.learner, "fusion": config.fused_by, "split": self.split}
        found: list[Figure] = []
        if self.new:
            meeting = Meeting(learner, whole, data.table, kinds_of(data.table, self.new), config.skip_bad)
            found += gains(meeting, self.episodes, about, device, "evaluating" if progress else None, ranks)
        conditions = [] if self.new else _conditions(whole) if self.subsets and self.attack is None else [whole]
        for i, loader in enumerate(conditions, 1):
            label = f"evaluating {i}/{len(conditions)}" if progress else None
            found += figures(learner, loader, self.episodes, about, device, label, ranks, self.attack, self.adapted)
        if stranger is not None:
            label = f"telling {self.open_set} further classes apart" if progress else None
            found += open_set_figures(learner, stranger, self.open_set, self.episodes, about, device, label, ranks)
        return found


def spoiled(
    modalities: Mapping[str, Modality],
    missing: Mapping[str, float] | None = None,
    missing_in: str = "all",
    noise: Mapping[str, float] | None = None,
    failure: Mapping[str, str] | None = None,
    support_inputs: Sequence[str] = (),
    query_inputs: Sequence[str] = (),
) -> dict[str, Any]:
    """What becomes of cells, said by input or kind of input, as a `Loader` takes it, by input.

    Raises:
        UsageError: for an unknown input or failure, or a level outside 0…1.
    """
    levels = matching_inputs(missing or {}, modalities)
    return {
        "missing": dict(missing) if missing and missing.keys() == {ALL} else levels,
        "missing_in": choose("missing_in", missing_in, MISSING_IN),
        "noise": matching_inputs(noise or {}, modalities),
        "failure": failing_inputs(failure or {}, modalities),
        "support_inputs": named_inputs(support_inputs, modalities),
        "query_inputs": named_inputs(query_inputs, modalities),
    }


def attack_said(
    modalities: Mapping[str, Modality],
    attack: str | None = None,
    epsilon: Mapping[str, float] | None = None,
    steps: int | None = None,
) -> Attack | None:
    """An attack as people say it, if they do.

    Raises:
        UsageError: for what belongs to an attack without one, or what `attack_of` refuses.
    """
    if attack is not None:
        return attack_of(attack, epsilon, modalities, steps)
    if epsilon:
        raise UsageError(f"an epsilon ({', '.join(epsilon)}) is an attack's: say which (attack, --attack fgsm or pgd)")
    if steps is not None:
        raise UsageError(f"attack_steps = {steps} without an attack: say attack='pgd' (--attack pgd)")
    return None


def checked_ways(asked: int | None, tasks: Tasks, part: str) -> int | None:
    """The number of classes a task, checked against what the part has."""
    if tasks.ways is None:
        return None
    assert asked is not None
    if asked > tasks.ways:
        raise DataError(
            f"{asked} ways need {asked} classes with enough rows in every task, the part {part!r} has {tasks.ways}: "
            f"ask for {tasks.ways} ways or fewer, or add rows"
        )
    return asked


def _conditions(whole: Loader) -> list[Loader]:
    """The tasks as they are, then each input alone and half of all cells missing, unless they are spoiled already."""
    names = list(whole.store.modalities)
    if whole.missing or whole.noise or whole.failure or whole.support_inputs or whole.query_inputs or len(names) == 1:
        return [whole]
    alone = [dataclasses.replace(whole, only=(name,)) for name in names]
    return [whole, *alone, dataclasses.replace(whole, missing={ALL: 0.5})]


def _with_outside(whole: Loader, open_set: int, tasks: Tasks, part: str) -> Loader:
    """The loader of tasks with so many classes more.

    Raises:
        DataError: if the part has too few classes.
        UsageError: if there are no classes.
    """
    ways, most = whole.shape.ways, tasks.ways
    if ways is None or most is None:
        raise UsageError("open_set is a number of classes, but this run does not predict a class: leave it out")
    assert isinstance(ways, int)
    if ways + open_set > most:
        less = f"{most - ways} open-set classes or fewer" if most > ways else "fewer ways"
        raise DataError(
            f"{ways} ways and {open_set} open-set classes need {ways + open_set} classes with enough rows in every "
            f"task, the part {part!r} has {most}: ask for {less}, or add rows of other classes"
        )
    return dataclasses.replace(whole, shape=dataclasses.replace(whole.shape, ways=ways + open_set))
