"""From a table and options to a run: plan the tasks, build the learner, meta-train, leave a folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from omnishot.core import seeds
from omnishot.core.distributed import Ranks, join
from omnishot.core.storage import FORMAT, pack, read_json, write_atomic, write_json
from omnishot.episodes.loader import Loader, Range, Shape
from omnishot.episodes.rows import Rows
from omnishot.episodes.store import matching_inputs, placed
from omnishot.errors import DataError, UsageError
from omnishot.evaluation.attacks import radii_of
from omnishot.evaluation.protocol import checked_ways
from omnishot.experiment import dataset
from omnishot.experiment.build import build_learner, most_ways, pick_device
from omnishot.experiment.config import OF_FUSION, Config, from_options, read_toml
from omnishot.experiment.dataset import TRAINING_QUERIES, WAYS, Dataset
from omnishot.experiment.objective import objective_class
from omnishot.learners.base import Learner
from omnishot.modality.base import Modality
from omnishot.modality.features import frozen_weights
from omnishot.nn.network import EARLY
from omnishot.objectives.base import Objective
from omnishot.runs.model import FROZEN
from omnishot.runs.run import Run, frozen_inputs, read_about
from omnishot.table.reading import read_table
from omnishot.table.schema import Schema
from omnishot.table.splits import PARTS
from omnishot.table.table import Table
from omnishot.training.frozen_encoders import freeze_inputs
from omnishot.training.trainer import Trainer
from omnishot.training.transcript_lengths import check_moments

#: What `read_table` is told; every other option is the training's.
TABLE_OPTIONS = ("target", "group", "modality", "inputs", "split", "objective")


def train(
    table: Any,
    /,
    *,
    out: str | Path,
    resume: bool = False,
    config: str | Path | None = None,
    progress: bool = False,
    ranks: Ranks | None = None,
    settle: Callable[[Learner, Loader, Loader | None, Config], Config] | None = None,
    **options: Any,
) -> Run:
    """Meta-train a learner on a table and leave a run folder.

    Started by torchrun, every rank calls this alike and reads the table from its own host's disk; rank 0 alone reads
    and writes the run folder.

    Args:
        table: whatever `read_table` reads.
        out: the run folder, which must not hold a run yet unless `resume`.
        resume: go on with the run in `out`, whose config holds; it ends as if it had never stopped.
        config: a TOML file of options; `options` count before it.
        progress: show progress on stderr.
        ranks: the processes that train together; None: those torchrun started, `omnishot.core.distributed.ALONE`: none.
        settle: decides on `steps` and `plan` once it can see the learner and the loaders of training and validation
            tasks: gives the config to train with. A run that is resumed keeps what was decided.
        options: of the table (`target`, `group`, `modality`, `inputs`, `split`, `objective`), of the training
            (`omnishot.experiment.config.Config`), of the learner, of the fusion (`fuse={"alpha": "gate"}`), of the
            objective (`objective_options={"beam": 5}`), and of inputs (`image={"size": 28}`).

    Raises:
        DataError, UsageError: as `read_table`, `Config` and `Trainer.run` do.
    """
    folder, ranks = Path(out), join() if ranks is None else ranks
    said = ranks.on_main(lambda: _said(folder, resume, config, options))
    read = read_table(table, **{name: said.pop(name) for name in TABLE_OPTIONS if name in said})
    if len(set(ranks.gather(read.fingerprint))) > 1:
        raise DataError(f"{read.name} is not the same for every rank: give each host the same table")
    if resume:
        ranks.on_main(lambda: _check_same_table(folder, read))
    kinds = {name: kind for name, (kind, _) in read.schema.inputs().items()}
    objective = objective_class(read.schema)
    asked = from_options(_defaults(objective, said) | said, kinds, objective)
    ranks, device = ranks.on(pick_device(asked.device))
    frozen = ranks.on_main(lambda: frozen_inputs(folder) if resume else freeze_inputs(asked, read.schema))
    for modality in frozen.values():
        modality.module.to(device)
    data = dataset.build(read, asked, progress=progress and ranks.rank == 0, host=ranks.host(), frozen=frozen)
    data = dataclasses.replace(data, store=data.store.to(device))
    loaders, about = _plan(data, asked)
    radii_of(asked.adversarial, data.store.modalities)
    learner = build_learner(asked, data.store.modalities, data.objective, most_ways(about["ways"]), about["labels"])
    check_moments(learner, data)
    learner.to(device)
    if learner.needs.rows:  # a checkpoint to resume from holds the same rows
        learner.remember(_drawn(loaders[0], learner.needs.rows))
    if settle is not None and not resume:
        asked = settle(learner, *loaders, asked)
    about |= {
        "format": FORMAT,
        "config": asked.to_options(),
        "source": str(Path(table).resolve()) if isinstance(table, str | Path) else None,
        "fingerprint": read.fingerprint,
        "schema": read.schema.to_json(),
        "modalities": {name: m.to_json() for name, m in data.store.modalities.items()},
        "objective": data.objective.to_json(),
        "trained_on": sorted(data.members("train")),
        "rows": {part: int((data.parts == part).sum()) for part in PARTS},
    }
    if not resume and ranks.rank == 0:
        if frozen:
            write_atomic(folder / FROZEN, pack(frozen_weights(frozen), {}))
        write_json(folder / "table.json", about)
        if data.skipped:
            write_json(folder / "skipped.json", [cell.to_json() for cell in data.skipped])
        write_atomic(folder / "config.toml", asked.to_toml())
    steps = asked.steps if learner.meta_trained else 0
    config_ = dataclasses.replace(asked, steps=steps)
    Trainer(learner, *loaders, config_, folder, progress=progress, ranks=ranks).run(resume)
    return Run(folder, asked, learner, ranks.on_main(lambda: read_json(folder / "table.json")))


def _defaults(objective: type[Objective], said: Mapping[str, Any]) -> dict[str, Any]:
    """Options that serve the objective, unless others are given."""
    return {n: value for n, value in objective.defaults.items() if n not in OF_FUSION or said.get("level") != EARLY}


def _said(folder: Path, resume: bool, config: str | Path | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, in the file and in options; if that is to go on, what the run began with."""
    said = {**(read_toml(config) if config else {}), **options}
    if resume:
        return _resumed(folder, said)
    if (folder / "config.toml").exists():
        raise UsageError(f"{folder} already holds a run: go on with it (resume, --resume), or choose another folder")
    return said


def _plan(data: Dataset, config: Config) -> tuple[tuple[Loader, Loader | None], dict[str, Any]]:
    """Loaders of training and validation tasks, and what was resolved of their shape."""
    most_shots = max(config.shots) if isinstance(config.shots, tuple) else config.shots
    parts = [part for part in PARTS if (data.parts == part).any()]
    tasks = {
        p: data.tasks(p, most_shots, config.queries, at_most=TRAINING_QUERIES, skip_small=config.skip_bad)
        for p in parts
    }
    most = [t.ways for t in tasks.values() if t.ways is not None]
    ways: Range | None = config.ways
    if most and ways is None:
        ways = min(most) if data.table.schema.group else min(WAYS, *most)
    for part in parts:
        checked_ways(most_ways(ways), tasks[part], part)
    if config.cross and len(data.store.modalities) < 2:
        only = next(iter(data.store.modalities))
        raise UsageError(f"cross={config.cross}: {data.table.name} has one input only, {only!r}: leave cross out")
    train = Loader(
        data.store,
        tasks["train"].source,
        Shape(config.tasks, ways if most else None, config.shots, tasks["train"].queries),
        seed=config.seed,
        labels=data.labels(),
        rotations=config.rotations,
        dropout=_dropout(config, data.store.modalities),
        cross=config.cross,
        extra_shots=config.extra_shots,
        noise=matching_inputs(config.noise, data.store.modalities),
        noise_varies=True,
        augment=matching_inputs(config.augment, data.store.modalities),
    )
    val = None
    if "val" in tasks:
        shape = Shape(1, most_ways(ways) if most else None, most_shots, tasks["val"].queries)
        val = Loader(
            data.store, tasks["val"].source, shape, seed=seeds.validation(config.seed),
            cross=config.cross, extra_shots=config.extra_shots,
        )  # fmt: skip
    labels = int(train.labels.max()) + 1 if train.labels is not None else 0
    return (train, val), {"ways": ways, "shots": config.shots, "labels": labels * (4 if config.rotations else 1)}


def _dropout(config: Config, modalities: Mapping[str, Modality]) -> float | dict[str, float]:
    """The rate of modality dropout, which a table of one input has none of."""
    if len(modalities) == 1:
        return 0.0
    return matching_inputs(config.dropout, modalities) if isinstance(config.dropout, dict) else config.dropout


def _drawn(train: Loader, count: int) -> Rows:
    """Rows that training tasks are made of, `[count]`, drawn by the seed; some more than once if there are fewer."""
    rows, store = train.source.index.order, train.store
    rng = seeds.memory_rows(train.seed)
    index = np.resize(rng.choice(rows, min(count, len(rows)), replace=False), count).astype(np.int64)
    target = None if store.target is None else placed(store.target[index], store.device)
    label = None
    if train.labels is not None:  # of rotated classes the one that is not turned
        label = placed(train.labels[index] * (4 if train.rotations else 1), store.device)
    return dataclasses.replace(store.gather(index), target=target, label=label)


def _resumed(folder: Path, said: Mapping[str, Any]) -> dict[str, Any]:
    """The run's own options; said ones may only repeat them (those of the table are compared when it is read).

    Raises:
        DataError: if there is no run to go on with.
        UsageError: if an option is unknown, or differs from the run's.
    """
    if not (folder / "config.toml").exists():
        raise DataError(f"{folder} holds no run to resume: leave --resume out to begin one")
    about = read_about(folder)
    own, schema = about["config"], Schema.from_json(about["schema"])
    kinds = {name: kind for name, (kind, _) in schema.inputs().items()}
    training = {name: value for name, value in said.items() if name not in TABLE_OPTIONS}
    objective = objective_class(schema)
    again = from_options({"learner": own["learner"], **training}, kinds, objective).to_options()
    for name in {name.rpartition(".")[0] or name for name in training}:
        value = again.get(name)
        same = value.items() <= own.get(name, {}).items() if isinstance(value, dict) else value == own.get(name)
        if not same:
            raise UsageError(
                f"the run in {folder} has {name} {own.get(name)!r}, not {value!r}: a resumed run keeps its options"
            )
    modality = {c.name: c.modality or "note" for c in schema.columns if c.role in ("input", "note")}
    table = {
        "target": list(schema.targets),
        "group": schema.group,
        "objective": schema.objective,
        "split": schema.split,
    }
    table |= {name: said[name] for name in TABLE_OPTIONS if name in said}
    return own | table | {"modality": modality | dict(said.get("modality") or {})}


def _check_same_table(folder: Path, table: Table) -> None:
    """Raises DataError for other cells, UsageError for columns understood otherwise, than the run began with."""
    about = read_json(folder / "table.json")
    if about["fingerprint"] != table.fingerprint:
        raise DataError(f"the table has changed since the run in {folder} began: it cannot be resumed")
    before = Schema.from_json(about["schema"])
    if before != table.schema:
        changed = [now.name for now in table.schema.columns if now not in before.columns] or ["the target"]
        raise UsageError(
            f"the run in {folder} began with {', '.join(changed)} understood otherwise: a resumed run keeps its options"
        )
