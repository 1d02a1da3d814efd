"""From a table and options to a run: read, decode, build the learner, meta-train, write a run folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from omnishot.core.distributed import Ranks, join
from omnishot.core.storage import pack, write_atomic, write_json
from omnishot.core.warn import warn_user
from omnishot.errors import DataError
from omnishot.experiment import dataset
from omnishot.experiment.build import build_learner, fixed_ways, pick_device
from omnishot.experiment.config import Config
from omnishot.experiment.dataset import Dataset
from omnishot.learners.base import Learner
from omnishot.modality.features import Features, frozen_weights
from omnishot.runs.model_file import FROZEN
from omnishot.runs.record import LearnerRecord, RunRecord
from omnishot.runs.run import Run, frozen_inputs
from omnishot.table.reading import read_table
from omnishot.table.splits import PARTS
from omnishot.table.table import Table
from omnishot.training.frozen_encoders import freeze_inputs
from omnishot.training.options import check_same_table, given_options, resolved
from omnishot.training.task_loaders import TaskLoaders, memory_rows, task_loaders
from omnishot.training.trainer import Trainer
from omnishot.training.transcript_lengths import check_transcript_lengths


def train(
    table: Any,
    /,
    *,
    out: str | Path,
    resume: bool = False,
    config: str | Path | None = None,
    progress: bool = False,
    ranks: Ranks | None = None,
    **options: Any,
) -> Run:
    """Meta-train a learner on a table and write a run folder.

    If started by torchrun, every rank must call this with the same arguments and reads the table from its own host's
    disk; only rank 0 reads and writes the run folder.

    Args:
        table: anything that `read_table` reads.
        out: the run folder, which must not hold a run yet unless `resume`.
        resume: continue the run in `out` with its own options; the result is the same as without the interruption.
        config: a TOML file of options; `options` take precedence.
        progress: show progress on stderr.
        ranks: the processes that train together; None: those torchrun started. `omnishot.core.distributed.ALONE`: only
            this one.
        options: of the table (`target`, `group`, `modality`, `inputs`, `split`, `objective`), of the training
            (`omnishot.experiment.config.Config`), of the learner, of the fusion (`fuse={"alpha": "gate"}`), of the
            objective (`objective_options={"beam": 5}`), and of inputs (`image={"size": 28}`).

    Raises:
        DataError, UsageError: as `read_table`, `Config` and `Trainer.run` do.
    """
    return prepare(table, out=out, resume=resume, config=config, progress=progress, ranks=ranks, **options).run()


@dataclass
class Training:
    """A training that is ready to run; nothing has been written yet.

    Args:
        folder: of the run.
        config: may be changed until the training runs, as long as the learner stays the same (`steps`, `val_every`,
            `plan`). A run that is resumed keeps what it has.
        data: the decoded table.
        learner: with its initial parameters, on the device to train on.
        tasks: loaders of training and validation tasks.
        source: the table's path; None for a table in memory.
        resume: continue the run in the folder.
    """

    folder: Path
    config: Config
    data: Dataset
    learner: Learner
    tasks: TaskLoaders
    source: str | None
    ranks: Ranks
    resume: bool = False
    progress: bool = False

    def run(self) -> Run:
        """Write the run folder, meta-train, and return the run with the best parameters.

        Raises:
            Interrupted, DataError, RankLost: as `Trainer.run` does.
        """
        steps = self.config.steps if self.learner.meta_trained else 0
        trainer = Trainer(
            self.learner,
            self.tasks.train,
            self.tasks.val,
            dataclasses.replace(self.config, steps=steps),
            self.folder,
            progress=self.progress,
            ranks=self.ranks,
        )
        if not self.resume and self.ranks.rank == 0:
            self._write()
        trainer.run(self.resume)
        return Run(self.folder, self.config, self.learner, self.ranks.on_main(lambda: RunRecord.read(self.folder)))

    @property
    def record(self) -> RunRecord:
        """The description of the run that its folder holds."""
        data, table, tasks = self.data, self.data.table, self.tasks
        learner = LearnerRecord.of(self.learner, self.config, tasks.ways, tasks.labels)
        return RunRecord(
            **vars(learner),
            val_ways=tasks.val_ways,
            shots=self.config.shots,
            source=self.source,
            fingerprint=table.fingerprint,
            schema=table.schema,
            trained_on=tuple(sorted(data.members("train"))),
            rows={part: int((data.parts == part).sum()) for part in PARTS},
        )

    def _write(self) -> None:
        """Write all files of a run folder but checkpoints and logs."""
        modalities = self.data.store.modalities
        if any(isinstance(modality, Features) for modality in modalities.values()):
            write_atomic(self.folder / FROZEN, pack(frozen_weights(modalities), {}))
        write_json(self.folder / "table.json", self.record.to_json())
        if self.data.skipped:
            write_json(self.folder / "skipped.json", [cell.to_json() for cell in self.data.skipped])
        write_atomic(self.folder / "config.toml", self.config.to_toml())


def prepare(
    table: Any,
    /,
    *,
    out: str | Path,
    resume: bool = False,
    config: str | Path | None = None,
    progress: bool = False,
    ranks: Ranks | None = None,
    **options: Any,
) -> Training:
    """A training that is ready to run; arguments and errors as those of `train`."""
    folder, ranks = Path(out), join() if ranks is None else ranks
    progress = progress and ranks.rank == 0
    table_options, training_options = ranks.on_main(lambda: given_options(folder, resume, config, options))
    rows = _read(table, table_options, folder if resume else None, ranks)
    resolved_config = resolved(rows.schema, training_options)
    ranks, device = ranks.on(pick_device(resolved_config.device))
    frozen = ranks.on_main(lambda: frozen_inputs(folder) if resume else freeze_inputs(resolved_config, rows.schema))
    data = _decode(rows, resolved_config, frozen, device, ranks, progress)
    tasks = task_loaders(data, resolved_config)
    for note in tasks.notes if ranks.rank == 0 else ():
        warn_user(note)
    learner = _learner(resolved_config, data, tasks, device)
    source = str(Path(table).resolve()) if isinstance(table, str | Path) else None
    return Training(folder, resolved_config, data, learner, tasks, source, ranks, resume, progress)


def _read(table: Any, options: Mapping[str, Any], run: Path | None, ranks: Ranks) -> Table:
    """The table; the same on every rank, and the same as the `run` to resume began with.

    Raises:
        DataError: if it is not the same.
        UsageError: if columns have other roles or kinds than in the run to resume.
    """
    rows = read_table(table, **options)
    if len(set(ranks.gather(rows.fingerprint))) > 1:
        raise DataError(f"{rows.name} is not the same for every rank: give each host the same table")
    if run is not None:
        ranks.on_main(lambda: check_same_table(run, rows))
    return rows


def _decode(
    rows: Table, config: Config, frozen: Mapping[str, Features], device: torch.device, ranks: Ranks, progress: bool
) -> Dataset:
    """The decoded table, its store on the device; the ranks of a host decode it together."""
    for modality in frozen.values():
        modality.module.to(device)
    data = dataset.build(rows, config, progress=progress, host=ranks.host(), frozen=frozen)
    return dataclasses.replace(data, store=data.store.to(device))


def _learner(config: Config, data: Dataset, tasks: TaskLoaders, device: torch.device) -> Learner:
    """The learner with its initial parameters, and with the training rows that it keeps, on the device.

    Raises:
        DataError: if most transcripts are too long for its decoder.
    """
    learner = build_learner(config, data.store.modalities, data.objective, fixed_ways(tasks.ways), tasks.labels)
    check_transcript_lengths(learner, data)
    learner.to(device)
    if learner.needs.rows:
        learner.remember(memory_rows(tasks.train, learner.needs.rows))
    return learner
