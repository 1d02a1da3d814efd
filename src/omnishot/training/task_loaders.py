"""The training and validation tasks of a data set, and the rows that a learner with a memory keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from omnishot.core import seeds
from omnishot.episodes.corruption import Corruption
from omnishot.episodes.inputs import levels_by_input
from omnishot.episodes.loader import Loader, Range, Shape
from omnishot.episodes.rows import Rows
from omnishot.episodes.store import placed
from omnishot.errors import UsageError
from omnishot.evaluation.protocol import checked_ways, evaluation_ways
from omnishot.experiment.build import has_fixed_head, most_ways
from omnishot.experiment.config import Config
from omnishot.experiment.dataset import TRAINING_QUERIES, WAYS, Dataset, Tasks
from omnishot.modality.base import Modality
from omnishot.table.splits import PARTS


@dataclass(frozen=True)
class TaskLoaders:
    """Loaders of training and validation tasks.

    Args:
        val: None for a data set without a validation part.
        ways: classes of a training task, a number or a range; None where no class is predicted.
        labels: number of training classes; 0 where no class is predicted.
        notes: what a user should know about the tasks.
    """

    train: Loader
    val: Loader | None
    ways: Range | None
    labels: int
    notes: tuple[str, ...] = ()

    @property
    def val_ways(self) -> int | None:
        """Classes of a validation task; None without validation, and where no class is predicted."""
        return None if self.val is None else most_ways(self.val.shape.ways)


def task_loaders(data: Dataset, config: Config) -> TaskLoaders:
    """The loaders that a config describes.

    Raises:
        DataError: if a part has too few classes or rows.
        UsageError: for `cross` with a single input.
    """
    most_shots = max(config.shots) if isinstance(config.shots, tuple) else config.shots
    parts = [part for part in PARTS if (data.parts == part).any()]
    tasks = {
        part: data.tasks(part, most_shots, config.queries, at_most=TRAINING_QUERIES, skip_small=config.skip_bad)
        for part in parts
    }
    ways, notes = _ways(config, data, tasks)
    if config.cross and len(data.store.modalities) < 2:
        only = next(iter(data.store.modalities))
        raise UsageError(f"cross={config.cross}: {data.table.name} has one input only, {only!r}: leave cross out")
    train = Loader(
        data.store,
        tasks["train"].source,
        Shape(config.tasks, ways, config.shots, tasks["train"].queries),
        seed=config.seed,
        labels=data.labels(),
        rotations=config.rotations,
        dropout=_dropout(config, data.store.modalities),
        cross=config.cross,
        extra_shots=config.extra_shots,
        corruption=Corruption(noise=levels_by_input(config.noise, data.store.modalities)),
        noise_varies=True,
        augment=levels_by_input(config.augment, data.store.modalities),
    )
    val = None
    if "val" in tasks:
        val = Loader(
            data.store,
            tasks["val"].source,
            Shape(1, evaluation_ways(most_ways(ways), tasks["val"]), most_shots, tasks["val"].queries),
            seed=seeds.validation(config.seed),
            cross=config.cross,
            extra_shots=config.extra_shots,
        )
    labels = int(train.labels.max()) + 1 if train.labels is not None else 0
    notes += _validation_notes(data, most_ways(ways), val)
    return TaskLoaders(train, val, ways, labels * (4 if config.rotations else 1), tuple(notes))


def _ways(config: Config, data: Dataset, tasks: Mapping[str, Tasks]) -> tuple[Range | None, list[str]]:
    """Classes of a training task, and what a user should know about them.

    They are as many as the config says, else as many as every training group has, or 5 if the training part has them.
    A learner whose head has a fixed number of classes needs as many in every part.

    Raises:
        DataError: if the training part has fewer classes than the config says; for a fixed head, if any part has.
    """
    if tasks["train"].ways is None:
        return None, []
    fixed = has_fixed_head(config, data.objective)
    most = {part: of_part.ways or 0 for part, of_part in tasks.items() if fixed or part == "train"}
    if config.ways is not None:
        for part in most:
            checked_ways(most_ways(config.ways), tasks[part], part)
        return config.ways, []
    enough = most["train"] if data.table.schema.group else min(WAYS, most["train"])
    fewest = min(most, key=lambda part: most[part])
    if most[fewest] >= enough:
        return enough, []
    note = (
        f"the head of {config.learner!r} has a fixed number of classes: training tasks have {most[fewest]} classes, "
        f"not {enough}, because the part {fewest!r} has no more"
    )
    return most[fewest], [note]


def _validation_notes(data: Dataset, ways: int | None, val: Loader | None) -> list[str]:
    """What a user should know about the validation tasks of a training on tasks of at most `ways` classes."""
    if val is None:
        return [
            f"{data.table.name} has no validation part: the parameters of the last step are kept, and nothing is tuned "
            "or calibrated"
        ]
    own = val.shape.ways
    if ways is None or not isinstance(own, int) or own >= ways:
        return []
    basis = f"{own}-way tasks" + (" of one pair" if own == 2 and data.table.schema.group is None else "")
    return [
        f"validation has {own} classes{' in a group' if data.table.schema.group else ''}, training tasks have {ways}: "
        f"selection and the temperature rest on {basis}"
    ]


def _dropout(config: Config, modalities: Mapping[str, Modality]) -> float | dict[str, float]:
    """The rate of modality dropout; 0 for a single input."""
    if len(modalities) == 1:
        return 0.0
    return levels_by_input(config.dropout, modalities) if isinstance(config.dropout, dict) else config.dropout


def memory_rows(train: Loader, count: int) -> Rows:
    """Rows that training tasks consist of, `[count]`, drawn by the seed; some of them repeated if there are fewer."""
    rows, store = train.source.index.order, train.store
    rng = seeds.memory_rows(train.seed)
    index = np.resize(rng.choice(rows, min(count, len(rows)), replace=False), count).astype(np.int64)
    target = None if store.target is None else placed(store.target[index], store.device)
    label = None
    if train.labels is not None:  # where pictures are rotated, the label of the upright ones
        label = placed(train.labels[index] * (4 if train.rotations else 1), store.device)
    return dataclasses.replace(store.gather(index), target=target, label=label)
