"""Models: an adapted learner, used and saved."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from omnishot.core.storage import FORMAT, flatten, unflatten, write_atomic
from omnishot.episodes.decoding import decode_table
from omnishot.episodes.rows import Rows
from omnishot.episodes.shots import learned_from
from omnishot.episodes.store import Store
from omnishot.errors import DataError, OmnishotError, UsageError
from omnishot.evaluation.embeddings import CHUNK
from omnishot.experiment.build import restore_learner
from omnishot.experiment.dataset import bad_cells
from omnishot.experiment.new_modality import (
    NewColumns,
    NewModality,
    decode_new_inputs,
    fit_new_inputs,
    read_with_new,
    with_inputs,
)
from omnishot.experiment.record import LearnerRecord
from omnishot.learners.base import Learner, State
from omnishot.modality.base import Modality
from omnishot.modality.features import Features, frozen_weights
from omnishot.runs.checkpoint import load_params
from omnishot.table.checking import BadCell, bad_texts
from omnishot.table.frames import is_text
from omnishot.table.reading import read_rows
from omnishot.table.schema import Schema
from omnishot.table.table import Table

#: Weights of frozen encoders, in a file of a model that has any.
FROZEN = "frozen.safetensors"
#: What a model has learned of inputs that its run was trained without.
NEW_MODALITY = "new_modality.safetensors"
#: Bytes of decoded cells that predicting holds at a time (a chunk at least), however large the table.
MEMORY = 64 << 20


@dataclass(frozen=True)
class Model:
    """An adapted learner: predicts rows, as scikit-learn's estimators do.

    A large table is decoded and predicted a part at a time; how it is parted changes no answer. (Only rows that depend
    on one another, of a transductive learner, are predicted all together.)

    Args:
        learner, state: what was learned across tasks and from this task's rows.
        schema: which columns are the inputs.
        classes_: the classes, or labels, sorted; empty where something else is predicted.
        record: what the learner is rebuilt from.
        new_modality: what was learned of inputs that the run was trained without, if there are any.
        words: where texts are predicted, the task's own words: those that its rows say and the run did not know.
    """

    learner: Learner
    state: State
    schema: Schema
    classes_: np.ndarray
    record: LearnerRecord
    new_modality: NewModality | None = None
    words: tuple[str, ...] = ()

    @classmethod
    def adapt(cls, learner: Learner, schema: Schema, rows: Any, record: LearnerRecord, new: NewColumns = ()) -> Model:
        """Learn a task from labelled rows (see `Run.adapt`)."""
        table, kinds = read_with_new(rows, schema, new)
        store, bad = decode_table(table, learner.network.modalities)
        for target in schema.targets or (None,):
            if target not in table.frame.columns:
                raise UsageError(f"{table.name} has no column {target!r}: adapting needs labelled rows")
            assert target is not None
            gaps = np.flatnonzero(table.frame[target].isna()).tolist()
            bad = [*bad, *(BadCell(i, target, "the target is missing", table.row_number(i)) for i in gaps)]
        bad = [*bad, *(BadCell(i, name, reason, table.row_number(i)) for i, name, reason in bad_texts(table))]
        modalities, arrived, wrong = fit_new_inputs(table, kinds)
        if bad := sorted([*bad, *wrong], key=lambda cell: cell.row):
            raise DataError(bad_cells(table, bad, "Mend them, or leave these cells empty"))
        encoded = learner.objective.encode_task(table)
        classes = encoded.classes
        support = store.gather(np.arange(len(table)))
        labelled = Rows(support.inputs, support.present, encoded.values, None, len(classes) or None)
        new_modality = None
        if modalities:
            cells = arrived.gather(np.arange(len(table)))
            new_modality = NewModality.fit(learner, labelled, cells, modalities)
            labelled = new_modality.add_hints(labelled, cells, support=True)
        device = learner.device
        state = learner.adapt(learned_from(labelled, record.config.get("extra_shots", False)).to(device))
        return cls(learner, state, with_inputs(schema, kinds), np.array(classes), record, new_modality, encoded.words)

    @property
    def notes(self) -> dict[str, str]:
        """How the task was learned, by name, where its learner has something to say; say, which architecture it has.
        And what new inputs came to."""
        return self.learner.notes(self.state) | (self.new_modality.notes if self.new_modality else {})

    def predict(self, rows: Any, abstain: float | None = None) -> np.ndarray:
        """One answer a row, in order: a class, a number in the target's own unit (several: `[rows, targets]`), a text.

        Args:
            abstain: a probability: rows whose likeliest class has less get None (an object array).

        Raises:
            UsageError: if `abstain` is no probability, or the model predicts a number.
        """
        self._check_abstain(abstain)
        scores, _ = self._predict(read_rows(rows, self.schema))
        found = self._found(scores)
        return found if abstain is None else abstained(found, self._probabilities(scores), abstain)

    def predict_proba(self, rows: Any) -> np.ndarray:
        """Probability of each class, `[rows, classes]` in the order of `classes_`; of labels each by itself.

        Raises:
            UsageError: if the model predicts a number.
        """
        if not len(self.classes_):
            raise UsageError(f"this model predicts {self.learner.objective.gives}: it has no class probabilities")
        scores, _ = self._predict(read_rows(rows, self.schema))
        return self._probabilities(scores)

    def answers(self, rows: Any, abstain: float | None = None) -> pd.DataFrame:
        """A table of answers, a row for each row: `prediction`, and for classes its `probability` and `p(class)` each;
        `problem` says which cells could not be read and were taken as missing.

        Args:
            abstain: a probability: where the likeliest class has less, `prediction` is missing.
        """
        self._check_abstain(abstain)
        return self._answers(*self._predict(read_rows(rows, self.schema)), abstain)

    def fill(self, rows: Any, abstain: float | None = None) -> tuple[pd.DataFrame, list[BadCell]]:
        """A row for each row: its plain values, then its `answers`; and the cells that were taken as missing.

        Raises:
            UsageError: if a column of the rows is named as one of the answers.
        """
        self._check_abstain(abstain)
        table = read_rows(rows, self.schema)
        scores, bad = self._predict(table)
        plain = table.frame[[name for name in table.frame.columns if _is_plain(table.frame[name])]]
        answers = self._answers(scores, bad, abstain)
        for name in plain.columns.intersection(answers.columns):
            raise UsageError(f"{table.name} has a column {name!r} as the answers have: rename it to '_{name}'")
        return pd.concat([plain, answers], axis=1), bad

    def _answers(self, scores: Tensor, bad: list[BadCell], abstain: float | None) -> pd.DataFrame:
        problems = [""] * len(scores)
        for cell in bad:
            problems[cell.row] += ("; " if problems[cell.row] else "") + f"{cell.column}: {cell.reason}"
        columns = self.learner.objective.columns(scores, self._names(), self.schema.targets)
        if abstain is not None:
            columns["prediction"] = abstained(columns["prediction"], self._probabilities(scores), abstain)
        return pd.DataFrame(columns | {"problem": problems})

    def _names(self) -> list[str]:
        """The names of the task's classes, or of its own words."""
        return [*self.classes_.tolist(), *self.words]

    def _found(self, scores: Tensor) -> np.ndarray:
        return self.learner.objective.decode(scores, self._names())

    def _probabilities(self, scores: Tensor) -> np.ndarray:
        probabilities = self.learner.objective.probabilities(scores)
        if probabilities is None:
            raise UsageError(f"this model predicts {self.learner.objective.gives}: it has no class probabilities")
        return probabilities

    def _check_abstain(self, abstain: float | None) -> None:
        if abstain is None:
            return
        if not self.learner.objective.has_classes:
            raise UsageError(f"this model predicts {self.learner.objective.gives}: it has no probability to abstain by")
        check_probability("abstain", abstain)

    def save(self, path: str | Path) -> Path:
        """Write an `.omni` file: a zip of safetensors and JSON, nothing that runs code when it is opened."""
        path = check_name(path)
        about = {"format": FORMAT, **self.record.to_json()}
        about |= {"schema": self.schema.to_json(), "classes": self.classes_.tolist()}
        about |= {"words": list(self.words)} if self.words else {}
        about["notes"] = self.notes  # for people: they follow from the state
        if self.new_modality:
            about["new_modality"] = self.new_modality.to_json()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("model.json", json.dumps(about, indent=2, ensure_ascii=False))
            archive.writestr("params.safetensors", _bytes(self.learner.params()))
            archive.writestr("state.safetensors", _bytes(flatten(self.state)))
            if frozen := frozen_weights(self.learner.network.modalities):
                archive.writestr(FROZEN, _bytes(frozen))
            if self.new_modality:
                archive.writestr(NEW_MODALITY, _bytes(self.new_modality.state))
        write_atomic(path, buffer.getvalue())
        return path

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Open an `.omni` file.

        Raises:
            DataError: if it is missing, damaged, no model, or of a newer format.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                about = json.loads(archive.read("model.json"))
                params, state = (load_tensors(archive.read(f"{n}.safetensors")) for n in ("params", "state"))
                frozen = load_tensors(archive.read(FROZEN)) if FROZEN in archive.namelist() else {}
                met = load_tensors(archive.read(NEW_MODALITY)) if "new_modality" in about else {}
            if about["format"] > FORMAT:
                raise DataError(f"{path} has format {about['format']}, this Omnishot reads up to {FORMAT}: upgrade")
            record = LearnerRecord.from_json(about)
            _, learner = restore_learner(record, frozen)
            load_params(learner, params)
            schema, classes = Schema.from_json(about["schema"]), np.array(about["classes"])
            words = tuple(about.get("words", ()))
            new_modality = NewModality.from_json(about["new_modality"], met) if "new_modality" in about else None
        except FileNotFoundError:
            raise DataError(f"{path} does not exist") from None
        except OmnishotError:
            raise
        except Exception as error:  # whatever a damaged file makes the readers say
            raise DataError(f"{path} is not a whole Omnishot model: {error}") from error
        return cls(learner, unflatten(state), schema, classes, record, new_modality, words)

    def _predict(self, table: Table) -> tuple[Tensor, list[BadCell]]:
        """What the objective keeps of the prediction of every row, `[rows, …]`, and the cells taken as missing.

        A part of the table is decoded at a time and read in chunks, unless rows depend on one another.
        """
        learner, total = self.learner, len(table)
        whole, new = learner.transductive, self.new_modality.modalities if self.new_modality else {}
        size = _rows_at_a_time([*learner.network.modalities.values(), *new.values()])
        scores, bad = [], []
        for part in _ranges(total, total if whole else size):
            some = table.select(part) if len(part) < total else table
            (store, found), (arrived, wrong) = decode_table(some, learner.network.modalities), decode_new_inputs(some, new)
            found = sorted([*found, *wrong], key=lambda cell: cell.row)
            bad += [dataclasses.replace(cell, row=cell.row + part.start) for cell in found]
            chunks = _ranges(len(part), len(part) if whole else CHUNK)
            scores += [self._answer(store, arrived, chunk) for chunk in chunks]
        return torch.cat(scores), bad

    def _answer(self, store: Store, arrived: Store, chunk: range) -> Tensor:
        rows = store.gather(np.asarray(chunk))
        device = self.learner.device
        query = Rows(rows.inputs, rows.present, ways=len(self.classes_) or None).to(device)
        if self.new_modality:
            query = self.new_modality.add_hints(query, arrived.gather(np.asarray(chunk)))
        return self.learner.objective.compact(self.learner.answer(self.state, query)).cpu()


def abstained(answers: np.ndarray, probabilities: np.ndarray, least: float) -> np.ndarray:
    """Answers `[rows]` as an object array, None where no class of `[rows, classes]` has the `least` probability."""
    found = answers.astype(object)
    found[~(probabilities.max(-1) >= least)] = None  # also where there is no probability
    return found


def check_probability(name: str, value: float) -> None:
    """Raises UsageError for an option that is no number from 0 to 1."""
    if not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise UsageError(f"{name} must be a probability from 0 to 1, not {value!r}")


def check_name(path: str | Path) -> Path:
    """`path` as a path.

    Raises:
        UsageError: if it does not end in `.omni`.
    """
    if Path(path).suffix != ".omni":
        raise UsageError(f"a model's file name must end in .omni, not {Path(path).name!r}")
    return Path(path)


def _is_plain(column: pd.Series) -> bool:
    """Whether a column holds numbers and texts, as a text file can, rather than bytes or arrays."""
    return column.dtype != object or is_text(column)


def _rows_at_a_time(modalities: Sequence[Modality]) -> int:
    """How many rows of such inputs are decoded at a time."""
    read = [m.of if isinstance(m, Features) else m for m in modalities]
    row = sum(math.prod(m.shape) * np.dtype(m.dtype).itemsize for m in read)
    return max(CHUNK, MEMORY // row // CHUNK * CHUNK)


def _ranges(total: int, size: int) -> list[range]:
    """`range(total)` in pieces of `size`."""
    return [range(start, min(start + size, total)) for start in range(0, total, size)]


def _bytes(tensors: Mapping[str, Tensor]) -> bytes:
    return save_tensors({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()})
