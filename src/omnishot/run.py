"""Runs: meta-train a table into a run folder, and what can be done with one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from omnishot import dataset
from omnishot.artifacts import FORMAT, read_json, read_tensors, write_atomic, write_json
from omnishot.assembly import build_learner, describe_learner, most_ways, pick_device, restore_learner
from omnishot.config import Config, from_options, read_toml
from omnishot.dataset import WAYS, Dataset, Tasks
from omnishot.episodes.loader import Loader, Range, Shape
from omnishot.episodes.missing import ALL
from omnishot.episodes.store import matching_inputs
from omnishot.errors import DataError, UsageError
from omnishot.evaluation import Evaluation, Figure, figures
from omnishot.learners.base import Learner
from omnishot.model import Model
from omnishot.table.reading import read_rows, read_table
from omnishot.table.schema import Schema
from omnishot.table.splits import PARTS
from omnishot.table.table import Table
from omnishot.training import CHECKPOINT, load_parameters, meta_train

#: What `read_table` is told; every other option is the training's.
TABLE_OPTIONS = ("target", "group", "modality", "inputs", "split", "objective")
#: Validation and evaluation draw from seeds of their own, so that no part is judged on tasks like those of training.
VALIDATION_SEED = 1_000_003


@dataclass(frozen=True)
class Run:
    """A finished training: its folder, config, the learner at its best, and what `table.json` says."""

    folder: Path
    config: Config
    learner: Learner = field(repr=False)
    about: Mapping[str, Any] = field(repr=False)

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Open a run folder.

        Raises:
            DataError: if it is no run, was cut off before its first checkpoint, or is damaged.
        """
        folder = Path(folder)
        about = _read_about(folder)
        config, learner = restore_learner(about)
        path = folder / "best" / CHECKPOINT
        if not path.exists():
            raise DataError(f"{folder} has no best checkpoint yet: go on training with --resume")
        load_parameters(learner, path)
        return cls(folder, config, learner.to(pick_device(config.device)), about)

    @property
    def schema(self) -> Schema:
        """What each column of the training table was."""
        return Schema.from_json(self.about["schema"])

    def adapt(self, rows: Any) -> Model:
        """A model for a new task from a few labelled rows: any number of classes, unequal shots, missing cells.

        Args:
            rows: a table path, DataFrame or list of dicts with the run's inputs and target.

        Raises:
            DataError: for bad cells, rows without a target, or a single class.
            UsageError: for an unknown column, or more classes than a fixed head has.
        """
        about = describe_learner(self.learner, self.config, self.about["ways"], self.about["labels"])
        return Model.adapt(self.learner, self.schema, rows, about)

    def evaluate(
        self,
        table: Any = None,
        *,
        ways: int | None = None,
        shots: int | None = None,
        queries: int | None = None,
        episodes: int = 600,
        missing: Mapping[str, float] | None = None,
        noise: Mapping[str, float] | None = None,
        split: str = "test",
        seed: int = 0,
        subsets: bool = True,
        save: bool = True,
    ) -> Evaluation:
        """Adapt to many tasks of a part that training never saw, and score.

        With several inputs and neither `missing` nor `noise` said, also (`subsets`) each input alone and half of all
        cells missing, on the same tasks.

        Args:
            table: another table with the same columns, all of it unless it has a split column; None: the run's own.
            ways, shots, queries: as in training unless said.
            episodes: how many tasks.
            missing: share of cells taken away, by input, kind of input, or `*` for all.
            noise: noise level 0…1, likewise.
            split: train, val or test.
            seed: of the tasks.
            subsets: whether to score parts of the inputs too.
            save: keep the figures in the run's `evaluation.json`.

        Raises:
            DataError: if the part has too few classes or rows, or shares classes with the training part.
        """
        if episodes < 2:
            raise UsageError(f"episodes must be at least 2 to give an interval, not {episodes}")
        if seed < 0:
            raise UsageError(f"seed must be at least 0, not {seed}")
        if split not in PARTS:
            raise UsageError(f"split must be one of {', '.join(PARTS)}, not {split!r}")
        for name, number, least in (("ways", ways, 2), ("shots", shots, 1), ("queries", queries, 1)):
            if number is not None and number < least:
                raise UsageError(f"{name} must be at least {least}, not {number}")
        modalities = self.learner.network.modalities
        everywhere = {ALL: missing[ALL]} if missing and missing.keys() == {ALL} else {}
        missing, noise = matching_inputs(missing or {}, modalities), matching_inputs(noise or {}, modalities)
        missing = everywhere or missing
        data = self._dataset(table, split)
        shots = shots or _least(self.config.shots)
        tasks = data.tasks(split, shots, queries or self.config.queries, self.config.skip_bad)
        shape = Shape(min(8, episodes), _ways(ways or _least(self.about["ways"]), tasks, split), shots, tasks.queries)
        whole = Loader(data.store, tasks.source, shape, seed=seed, missing=missing, noise=noise)
        conditions = [whole]
        if subsets and not missing and not noise and len(modalities) > 1:
            conditions += [dataclasses.replace(whole, only=(name,)) for name in modalities]
            conditions += [dataclasses.replace(whole, missing={ALL: 0.5})]
        about = {"learner": self.config.learner, "fusion": self.config.fusion, "split": split}
        device = next(self.learner.parameters()).device
        found = [f for condition in conditions for f in figures(self.learner, condition, episodes, about, device)]
        if save:
            self._keep(found)
        return Evaluation(tuple(found))

    def summary(self) -> dict[str, Any]:
        """What training came to, as plain values; `best` is the best validation figure, None without validation."""
        _, state = read_tensors(self.folder / "last" / CHECKPOINT)
        return {
            "run": str(self.folder),
            "learner": self.config.learner,
            "fusion": self.config.fusion,
            "modalities": list(self.learner.network.modalities),
            "rows": self.about["rows"],
            "metric": self.learner.objective.metric,
            **{name: state[name] for name in ("step", "best", "best_step", "seconds")},
        }

    def figures(self) -> list[Figure]:
        """The figures that evaluations of this run have left."""
        path = self.folder / "evaluation.json"
        return [Figure.from_json(record) for record in read_json(path)] if path.exists() else []

    def table(self) -> Table:
        """The table that the run was trained on, read again.

        Raises:
            DataError: if it was in memory, is gone or has changed.
        """
        source = self.about["source"]
        if source is None:
            raise DataError(f"{self.folder} was trained on a table in memory: give the table again (table=…)")
        table = read_rows(Path(source), self.schema)
        if table.fingerprint != self.about["fingerprint"]:
            raise DataError(f"{source} has changed since {self.folder} was trained: train again, or give a table")
        return table

    def dataset(self) -> Dataset:
        """The run's own table, decoded as in training."""
        return self._dataset(None, "train")

    def _dataset(self, table: Any, split: str) -> Dataset:
        learner = self.learner
        if table is None:
            return dataset.build(self.table(), self.config, learner.network.modalities, learner.objective)
        rows = read_rows(table, self.schema)
        parts = np.full(len(rows), split) if rows.schema.split is None else None
        data = dataset.build(rows, self.config, learner.network.modalities, learner.objective, parts)
        shared = sorted(data.members(split) & set(self.about["trained_on"]))
        if shared and split != "train":
            raise DataError(
                f"{rows.name}: the run was trained on {', '.join(shared[:5])}{' …' if len(shared) > 5 else ''}, so the "
                f"part {split!r} would not measure new tasks: leave their rows out, or mark parts in a split column"
            )
        return data

    def _keep(self, found: Sequence[Figure]) -> None:
        """Add figures to `evaluation.json`, in place of those of the same protocol."""
        new = [figure.to_json() for figure in found]
        taken = [_protocol(record) for record in new]
        old = [f.to_json() for f in self.figures()]
        write_json(self.folder / "evaluation.json", [r for r in old if _protocol(r) not in taken] + new)


def train(
    table: Any,
    /,
    *,
    out: str | Path,
    resume: bool = False,
    config: str | Path | None = None,
    progress: bool = False,
    **options: Any,
) -> Run:
    """Meta-train a learner on a table and leave a run folder.

    Args:
        table: whatever `read_table` reads.
        out: the run folder, which must not hold a run yet unless `resume`.
        resume: go on with the run in `out`, whose config holds; it ends as if it had never stopped.
        config: a TOML file of options; `options` count before it.
        progress: show progress on stderr.
        options: of the table (`target`, `group`, `modality`, `inputs`, `split`, `objective`), of the training
            (`omnishot.config.Config`), of the learner, and of inputs (`image={"size": 28}`).

    Raises:
        DataError, UsageError: as `read_table`, `Config` and `meta_train` do.
    """
    folder = Path(out)
    said = {**(read_toml(config) if config else {}), **options}
    if resume:
        said = _resumed(folder, said)
    elif (folder / "config.toml").exists():
        raise UsageError(f"{folder} already holds a run: go on with it (resume, --resume), or choose another folder")
    read = read_table(table, **{name: said.pop(name) for name in TABLE_OPTIONS if name in said})
    if resume:
        _check_same_table(folder, read)
    kinds = {name: kind for name, (kind, _) in read.schema.inputs().items()}
    asked = from_options(said, kinds)
    device = pick_device(asked.device)
    data = dataset.build(read, asked, progress=progress)
    loaders, about = _plan(data, asked)
    learner = build_learner(asked, data.store.modalities, data.objective, most_ways(about["ways"]), about["labels"])
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
    if not resume:
        write_json(folder / "table.json", about)
        if data.skipped:
            write_json(folder / "skipped.json", [cell.to_json() for cell in data.skipped])
        write_atomic(folder / "config.toml", asked.to_toml())
    learner.to(device)
    steps = asked.steps if learner.meta_trained else 0
    meta_train(learner, *loaders, dataclasses.replace(asked, steps=steps), folder, resume=resume, progress=progress)
    return Run(folder, asked, learner, read_json(folder / "table.json"))


def _plan(data: Dataset, config: Config) -> tuple[tuple[Loader, Loader | None], dict[str, Any]]:
    """Loaders of training and validation tasks, and what was resolved of their shape."""
    most_shots = max(config.shots) if isinstance(config.shots, tuple) else config.shots
    parts = [part for part in PARTS if (data.parts == part).any()]
    tasks = {p: data.tasks(p, most_shots, config.queries, config.skip_bad) for p in parts}
    most = [t.ways for t in tasks.values() if t.ways is not None]
    ways: Range | None = config.ways
    if most and ways is None:
        ways = min(most) if data.table.schema.group else min(WAYS, *most)
    for part in parts:
        _ways(most_ways(ways), tasks[part], part)
    train = Loader(
        data.store,
        tasks["train"].source,
        Shape(config.tasks, ways if most else None, config.shots, tasks["train"].queries),
        seed=config.seed,
        labels=data.labels(),
        rotations=config.rotations,
        dropout=config.dropout if len(data.store.modalities) > 1 else 0.0,
        noise=matching_inputs(config.noise, data.store.modalities),
    )
    val = None
    if "val" in tasks:
        shape = Shape(1, most_ways(ways) if most else None, most_shots, tasks["val"].queries)
        val = Loader(data.store, tasks["val"].source, shape, seed=config.seed + VALIDATION_SEED)
    labels = int(train.labels.max()) + 1 if train.labels is not None else 0
    return (train, val), {"ways": ways, "shots": config.shots, "labels": labels * (4 if config.rotations else 1)}


def _ways(asked: int | None, tasks: Tasks, part: str) -> int | None:
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


def _least(value: Any) -> Any:
    return min(value) if isinstance(value, list | tuple) else value


def _protocol(record: Mapping[str, Any]) -> str:
    return repr(sorted((k, repr(v)) for k, v in record.items() if k not in ("mean", "ci95", "seconds")))


def _read_about(folder: Path) -> dict[str, Any]:
    """What a run folder says of its run.

    Raises:
        DataError: if it is no run, damaged, edited, or of a newer format.
    """
    if not (folder / "table.json").exists() or not (folder / "config.toml").exists():
        raise DataError(f"{folder} is not a run: it lacks table.json or config.toml")
    about = read_json(folder / "table.json")
    if not isinstance(about, dict) or "format" not in about:
        raise DataError(f"{folder / 'table.json'} was not written by Omnishot")
    if about["format"] > FORMAT:
        raise DataError(f"{folder} has format {about['format']}, this Omnishot reads up to {FORMAT}: upgrade Omnishot")
    if read_toml(folder / "config.toml") != about["config"]:
        raise DataError(f"{folder / 'config.toml'} is not what the run was trained with: it is damaged, or was edited")
    return about


def _resumed(folder: Path, said: Mapping[str, Any]) -> dict[str, Any]:
    """The run's own options; said ones may only repeat them (those of the table are compared when it is read).

    Raises:
        DataError: if there is no run to go on with.
        UsageError: if an option is unknown, or differs from the run's.
    """
    if not (folder / "config.toml").exists():
        raise DataError(f"{folder} holds no run to resume: leave --resume out to begin one")
    about = _read_about(folder)
    own, schema = about["config"], Schema.from_json(about["schema"])
    kinds = {name: kind for name, (kind, _) in schema.inputs().items()}
    training = {name: value for name, value in said.items() if name not in TABLE_OPTIONS}
    again = from_options({"learner": own["learner"], **training}, kinds).to_options()
    for name in {name.rpartition(".")[0] or name for name in training}:
        value = again.get(name)
        same = value.items() <= own.get(name, {}).items() if isinstance(value, dict) else value == own.get(name)
        if not same:
            raise UsageError(
                f"the run in {folder} has {name} {own.get(name)!r}, not {value!r}: a resumed run keeps its options"
            )
    modality = {c.name: c.modality or "note" for c in schema.columns if c.role in ("input", "note")}
    table = {"target": schema.target, "group": schema.group, "objective": schema.objective, "split": schema.split}
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
