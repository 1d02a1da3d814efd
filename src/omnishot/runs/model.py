"""Models: an adapted learner that predicts tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from omnishot.episodes.decoding import decode_table
from omnishot.episodes.rows import Rows
from omnishot.episodes.shots import learned_from
from omnishot.errors import DataError, UsageError
from omnishot.experiment.dataset import bad_cells
from omnishot.experiment.new_modality import (
    NewColumns,
    NewModality,
    fit_new_inputs,
    read_with_new,
    with_inputs,
)
from omnishot.experiment.record import LearnerRecord
from omnishot.learners.base import Learner
from omnishot.runs.model_file import AdaptedLearner
from omnishot.runs.prediction import predict_table
from omnishot.table.checking import BadCell, bad_texts
from omnishot.table.frames import is_text
from omnishot.table.reading import read_rows
from omnishot.table.schema import Schema


@dataclass(frozen=True)
class Model(AdaptedLearner):
    """An adapted learner: predicts rows, as scikit-learn's estimators do.

    A large table is decoded and predicted in parts, which do not change the predictions (`omnishot.runs.prediction`).
    """

    @classmethod
    def adapt(cls, learner: Learner, schema: Schema, rows: Any, record: LearnerRecord, new: NewColumns = ()) -> Model:
        """Learn a task from labelled rows (see `Run.adapt`)."""
        table, kinds = read_with_new(rows, schema, new)
        store, bad = decode_table(table, learner.network.modalities)
        if not schema.targets:
            raise UsageError(f"{table.name} has no target column: adapting needs labelled rows")
        for target in schema.targets:
            if target not in table.frame.columns:
                raise UsageError(f"{table.name} has no column {target!r}: adapting needs labelled rows")
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

    def predict(self, rows: Any, abstain: float | None = None) -> np.ndarray:
        """One answer a row, in order: a class, a number in the target's own unit (several: `[rows, targets]`), a text.

        Args:
            abstain: a probability: rows whose likeliest class has less get None (an object array).

        Raises:
            UsageError: if `abstain` is no probability, or the model predicts a number.
        """
        self._check_abstain(abstain)
        scores, _ = predict_table(self, read_rows(rows, self.schema))
        predictions = self.learner.objective.decode(scores, self._names())
        return predictions if abstain is None else abstained(predictions, self._probabilities(scores), abstain)

    def predict_proba(self, rows: Any) -> np.ndarray:
        """Probability of each class, `[rows, classes]` in the order of `classes_`; of labels each by itself.

        Raises:
            UsageError: if the model predicts a number.
        """
        if not len(self.classes_):
            raise UsageError(f"this model predicts {self.learner.objective.gives}: it has no class probabilities")
        scores, _ = predict_table(self, read_rows(rows, self.schema))
        return self._probabilities(scores)

    def answers(self, rows: Any, abstain: float | None = None) -> pd.DataFrame:
        """A table of answers, a row for each row: `prediction`, and for classes its `probability` and `p(class)` each;
        `problem` says which cells could not be read and were taken as missing.

        Args:
            abstain: a probability: where the likeliest class has less, `prediction` is missing.
        """
        self._check_abstain(abstain)
        return self._answers(*predict_table(self, read_rows(rows, self.schema)), abstain)

    def fill(self, rows: Any, abstain: float | None = None) -> tuple[pd.DataFrame, list[BadCell]]:
        """A row for each row: its plain values, then its `answers`; and the cells that were taken as missing.

        Raises:
            UsageError: if a column of the rows is named as one of the answers.
        """
        self._check_abstain(abstain)
        table = read_rows(rows, self.schema)
        scores, bad = predict_table(self, table)
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


def abstained(answers: np.ndarray, probabilities: np.ndarray, least: float) -> np.ndarray:
    """Answers `[rows]` as an object array, None where no class of `[rows, classes]` has the `least` probability."""
    predictions = answers.astype(object)
    predictions[~(probabilities.max(-1) >= least)] = None  # also where there is no probability
    return predictions


def check_probability(name: str, value: float) -> None:
    """Raises UsageError for an option that is no number from 0 to 1."""
    if not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise UsageError(f"{name} must be a probability from 0 to 1, not {value!r}")


def _is_plain(column: pd.Series) -> bool:
    """Whether a column holds numbers and texts, as a text file can, rather than bytes or arrays."""
    return column.dtype != object or is_text(column)
