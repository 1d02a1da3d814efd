"""Runs: the folder that a meta-training leaves behind, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from torch import Tensor

from omnishot.core.distributed import ALONE, Ranks, join
from omnishot.core.storage import read_json, read_tensors, write_json
from omnishot.episodes.corruption import Corruption, CorruptionOptions
from omnishot.episodes.inputs import input_names
from omnishot.errors import DataError, UsageError, choose
from omnishot.evaluation.figure import Evaluation, Figure, Origin
from omnishot.evaluation.protocol import Protocol
from omnishot.evaluation.retrieval import retrieval_figures
from omnishot.experiment import dataset
from omnishot.experiment.build import pick_device, restore_learner, restore_modality
from omnishot.experiment.config import Config
from omnishot.experiment.dataset import Dataset
from omnishot.experiment.new_modality import NewColumns, read_with_new
from omnishot.experiment.record import LearnerRecord
from omnishot.learners.base import Learner
from omnishot.modality.features import Features
from omnishot.runs.checkpoint import CHECKPOINT, load_parameters
from omnishot.runs.model import Model
from omnishot.runs.model_file import FROZEN
from omnishot.runs.record import RunRecord
from omnishot.table.reading import read_rows
from omnishot.table.schema import Schema
from omnishot.table.splits import PARTS, assign, first_of
from omnishot.table.table import Table


@dataclass(frozen=True)
class Run:
    """A finished training: its folder, config, the learner at its best, and what `table.json` says."""

    folder: Path
    config: Config
    learner: Learner = field(repr=False)
    record: RunRecord = field(repr=False)

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Open a run folder.

        Raises:
            DataError: if it is no run, was cut off before its first checkpoint, or is damaged.
        """
        folder = Path(folder)
        record = RunRecord.read(folder)
        config, learner = restore_learner(record, read_frozen(folder, record))
        path = folder / "best" / CHECKPOINT
        if not path.exists():
            raise DataError(f"{folder} has no best checkpoint yet: go on training with --resume")
        load_parameters(learner, path)
        device = pick_device(config.device)
        for modality in learner.network.modalities.values():
            if isinstance(modality, Features):
                modality.module.to(device)
        return cls(folder, config, learner.to(device), record)

    @property
    def schema(self) -> Schema:
        """What each column of the training table was."""
        return self.record.schema

    def adapt(self, rows: Any, new: NewColumns = ()) -> Model:
        """A model for a new task from a few labelled rows: any number of classes, unequal shots, missing cells.

        Args:
            rows: a table path, DataFrame or list of dicts with the run's inputs and target.
            new: columns that the run was trained without, and their kinds ({"sound": "audio"}; names alone if they are
                to be found by looking), to be learned as further inputs from the rows that have both
                (`omnishot.experiment.new_modality`).

        Raises:
            DataError: for bad cells, rows without a target, a single class, or fewer than two rows with a new and a
                known input.
            UsageError: for an unknown column, more classes than a fixed head has, a new column that is an input
                already, or a learner that does not read the network's features.
        """
        record = LearnerRecord.of(self.learner, self.config, self.record.ways, self.record.labels)
        return Model.adapt(self.learner, self.schema, rows, record, new)

    def evaluate(
        self,
        table: Any = None,
        *,
        ways: int | None = None,
        shots: int | None = None,
        queries: int | None = None,
        episodes: int = 600,
        split: str = "test",
        seed: int = 0,
        adapted: bool = True,
        open_set: int = 0,
        new: NewColumns = (),
        subsets: bool = True,
        save: bool = True,
        progress: bool = False,
        ranks: Ranks | None = None,
        **corruption: Unpack[CorruptionOptions],
    ) -> Evaluation:
        """Adapt to many tasks of a part that training never saw, and score.

        Args:
            table: another table with the same columns, all of it unless it has a split column; None: the run's own,
                which may also be given as `dataset()` has read it.
            ways, shots: None: as in training, with fewer ways where the part has fewer classes.
            queries: query rows a class; None: 15, or as many as the smallest class has.
            adapted: False: predict the same query rows from the learner's start, without the support rows.
            open_set: further classes of a task that have query rows but no support rows: how well their rows are
                recognised as such (`omnishot.evaluation.open_set`), on tasks of their own.
            new: columns that the run was trained without, and their kinds, as `adapt` takes them: figures with them,
                without them on the same tasks, and the improvement (`omnishot.evaluation.new_modality`).
            subsets: with several inputs and no corruption, also score each input alone and half of all cells missing.
            save: keep the figures in the run's `evaluation.json`.
            progress: show progress on stderr.
            ranks: the processes that share the tasks; None: those torchrun started, which all make the same call.
            corruption: what is done to the inputs (`omnishot.episodes.corruption.CorruptionOptions`).

        Raises:
            DataError: if the part has too few classes or rows, or has classes that the run or a frozen
                encoder of it was trained on.
            UsageError: for unknown options, or options that make no sense, alone or together.
        """
        for name in corruption:
            choose("option", name, CorruptionOptions.__annotations__)
        protocol = Protocol(
            split=split, episodes=episodes, seed=seed, ways=ways, shots=shots, queries=queries, adapted=adapted,
            open_set=open_set, new=new, subsets=subsets,
            corruption=Corruption.of(self.learner.network.modalities, **corruption),
        )  # fmt: skip
        return self.follow(protocol, table, save=save, progress=progress, ranks=ranks)

    def follow(
        self,
        protocol: Protocol,
        table: Any = None,
        *,
        save: bool = True,
        progress: bool = False,
        ranks: Ranks | None = None,
    ) -> Evaluation:
        """`evaluate` with a protocol, its corruption given by input name."""
        ranks, device = (join() if ranks is None else ranks).on(self.learner.device)
        self.learner.to(device)
        data = self._dataset(table, protocol.split, ranks.host(), protocol.new)
        shown = progress and ranks.rank == 0
        figures = protocol.figures(self.learner, self.config, self.record.ways, data, device, ranks, shown)
        if save and ranks.rank == 0:
            self._keep(figures)
        return Evaluation(tuple(figures))

    def retrieval(
        self,
        inputs: Sequence[str],
        table: Any = None,
        *,
        gallery: int | None = None,
        right: str = "class",
        episodes: int = 600,
        split: str = "test",
        seed: int = 0,
        save: bool = True,
    ) -> Evaluation:
        """Cross-modal retrieval: recall@1, 5, 10 and median rank of a row by another of its inputs, both ways, and the
        same by chance (`omnishot.evaluation.retrieval`). No task is learned.

        Args:
            inputs: two inputs, or kinds of input.
            table: as `evaluate` takes it.
            gallery: rows of a gallery, each of another class; None: one gallery of all rows of the part.
            right: what is right to find: `class`, rows of the same class, or `row`, the row itself whatever its class.
            episodes: number of galleries.
            split: train, val or test.
            seed: of the galleries.
            save: keep the figures in the run's `evaluation.json`.

        Raises:
            DataError: if the part has too few rows that have both.
            UsageError: for options that make no sense, or a network without embeddings.
        """
        names = input_names(inputs, self.learner.network.modalities)
        choose("split", split, PARTS)
        if seed < 0 or episodes < 2:
            raise UsageError(f"galleries need episodes of 2 or more and a seed from 0, not {episodes} and {seed}")
        figures = retrieval_figures(
            self.learner, self._dataset(table, split), names, Origin(self.config.learner, self.config.fused_by, split),
            gallery=gallery, right=right, episodes=episodes, seed=seed,
        )  # fmt: skip
        if save:
            self._keep(figures)
        return Evaluation(tuple(figures))

    def summary(self) -> dict[str, Any]:
        """What training came to, as plain values.

        `best` is the best validation figure, None without validation; of its `seconds` training `waited` for data;
        `tuned` are the values that were chosen on the validation tasks, by name.
        """
        (_, state), (_, best) = (read_tensors(self.folder / which / CHECKPOINT) for which in ("last", "best"))
        return {
            "run": str(self.folder),
            "learner": self.config.learner,
            "fusion": self.config.fused_by,
            "modalities": list(self.learner.network.modalities),
            "rows": dict(self.record.rows),
            "metric": self.learner.objective.metric,
            **{name: state.get(name) for name in ("step", "best", "best_step", "seconds", "waited")},
            "tuned": {record["tuned"]: record["value"] for record in best.get("tuned", ())},
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
        source = self.record.source
        if source is None:
            raise DataError(f"{self.folder} was trained on a table in memory: give the table again (table=…)")
        table = read_rows(Path(source), self.schema)
        if table.fingerprint != self.record.fingerprint:
            raise DataError(f"{source} has changed since {self.folder} was trained: train again, or give a table")
        return table

    def dataset(self, new: NewColumns = ()) -> Dataset:
        """The run's own table, decoded as in training; with `new` columns, as `evaluate` takes them, read too."""
        return self._dataset(None, "train", new=new)

    def _dataset(self, table: Any, split: str, host: Ranks = ALONE, new: NewColumns = ()) -> Dataset:
        learner = self.learner
        if isinstance(table, Dataset):
            return table
        rows, _ = read_with_new(self.table() if table is None else table, self.schema, new)
        if table is None:
            return dataset.build(rows, self.config, learner.network.modalities, learner.objective, host=host)
        parts = np.full(len(rows), split) if rows.schema.split is None else assign(rows, self.config.split_seed)
        data = dataset.build(rows, self.config, learner.network.modalities, learner.objective, parts, host=host)
        self._check_new(data, split)
        return data

    def _check_new(self, data: Dataset, split: str) -> None:
        """Raises DataError if a held-out part has classes or groups that the run or a frozen encoder was trained on."""
        if split == "train":
            return
        by_encoders = self.record.encoders_trained_on.get(self.schema.group or self.schema.target or "", ())
        shared = sorted(data.members(split) & {*self.record.trained_on, *by_encoders})
        if shared:
            who = "the run" if set(shared) & set(self.record.trained_on) else "a frozen encoder of the run"
            raise DataError(
                f"{data.table.name}: {who} was trained on {first_of(shared)}, so the part {split!r} would not measure "
                "new tasks: leave their rows out, or mark parts in a split column"
            )

    def _keep(self, figures: Sequence[Figure]) -> None:
        """Add figures to `evaluation.json`, in place of those of the same setting."""
        settings = {figure.setting for figure in figures}
        others = [figure for figure in self.figures() if figure.setting not in settings]
        write_json(self.folder / "evaluation.json", [figure.to_json() for figure in (*others, *figures)])


def read_frozen(folder: Path, record: RunRecord) -> dict[str, Tensor]:
    """The weights of a run's frozen encoders, if it has any, by `input/name`.

    Raises:
        DataError: if the file is missing or damaged.
    """
    has = any(settings["kind"] == Features.kind for settings in record.modalities.values())
    return read_tensors(folder / FROZEN)[0] if has else {}


def frozen_inputs(folder: Path) -> dict[str, Features]:
    """The frozen inputs of a run that has begun, by name.

    Raises:
        DataError: if the run is damaged.
    """
    record = RunRecord.read(folder)
    weights = read_frozen(folder, record)
    inputs = {name: restore_modality(name, settings, weights) for name, settings in record.modalities.items()}
    return {name: modality for name, modality in inputs.items() if isinstance(modality, Features)}
