"""Few-shot learning by scikit-learn's conventions: what `fit` sees is the support set of one task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from omnishot.errors import UsageError
from omnishot.runs.run import Run
from omnishot.table.frames import objects


class _FewShot(BaseEstimator):
    """What both estimators share: a run, and rows as a frame of the run's inputs."""

    _objective: str

    def __init__(self, run: Run | str | Path):
        self.run = run

    def _adapt(self, X: Any, y: Any) -> None:
        run = self.run if isinstance(self.run, Run) else Run.load(self.run)
        if run.schema.objective != self._objective:
            raise UsageError(f"{type(self).__name__} is there to {self._objective}, the run to {run.schema.objective}")
        self.columns_ = tuple(column.name for column in run.schema.columns if column.role == "input")
        rows = self._rows(X)
        check_consistent_length(rows, y)
        self.n_features_in_ = rows.shape[1]
        if isinstance(X, pd.DataFrame):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.model_ = run.adapt(rows.assign(**{str(run.schema.target): y}))

    def _rows(self, X: Any) -> pd.DataFrame:
        """Rows as a frame: a DataFrame, dicts, a row of cells each, or cells alone where there is one input column.

        Raises:
            UsageError: if the cells do not fit the run's input columns.
        """
        if isinstance(X, pd.DataFrame):
            return X.reset_index(drop=True)
        rows = list(X)
        if rows and all(isinstance(row, Mapping) for row in rows):
            names = dict.fromkeys(name for row in rows for name in row)
            return pd.DataFrame({name: objects([row.get(name) for row in rows]) for name in names})
        if len(self.columns_) == 1:
            flat = isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1
            return pd.DataFrame({self.columns_[0]: objects([row[0] if flat else row for row in rows])})
        if not all(isinstance(row, list | tuple | np.ndarray) and len(row) == len(self.columns_) for row in rows):
            raise UsageError(
                f"each row must hold {len(self.columns_)} cells ({', '.join(self.columns_)}): give such rows, a "
                "DataFrame, or dicts"
            )
        return pd.DataFrame({name: objects([row[i] for row in rows]) for i, name in enumerate(self.columns_)})

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = tags.input_tags.allow_nan = True
        tags.non_deterministic = False
        return tags


class FewShotClassifier(ClassifierMixin, _FewShot):
    """Adapts a run to the rows it is fitted on: a few of each class are enough.

    Args:
        run: a run that classifies, or its folder.

    Attributes:
        classes_: the labels, sorted, as they were given.
        model_: the adapted model.
    """

    _objective = "classify"

    def fit(self, X: Any, y: Any) -> Self:
        """Adapt to labelled rows.

        Args:
            X: a DataFrame or list of dicts with the run's inputs, cells missing or not; rows of cells in the order of
                the run's input columns; or, where there is one such column, a list or array of cells.
            y: labels of any kind that can be sorted.

        Raises:
            UsageError: if X does not fit the run, or y holds a missing label.
            DataError: for bad cells or a single class.
        """
        y = np.asarray(y)
        gaps = np.flatnonzero(pd.isna(y))
        if y.ndim != 1 or len(gaps):
            raise UsageError(f"y must hold a label a row; its shape is {y.shape}, rows without: {gaps[:5].tolist()}")
        self.classes_, codes = np.unique(y, return_inverse=True)
        # A class is named after its number, with leading zeros, so that the model sorts classes as they are here.
        self._adapt(X, np.char.zfill(codes.astype(str), len(str(len(self.classes_)))))
        return self

    def predict(self, X: Any, abstain: float | None = None) -> np.ndarray:
        """The label of each row, `[rows]`.

        Args:
            abstain: a probability: rows whose likeliest label has less get None (an object array).

        Raises:
            UsageError: if `abstain` is no probability.
        """
        check_is_fitted(self, "model_")
        answers = self.model_.predict(self._rows(X), abstain)
        if abstain is None:
            return self.classes_[answers.astype(int)]
        labels = np.array([*self.classes_.tolist(), None], dtype=object)
        return labels[np.array([-1 if name is None else int(name) for name in answers], dtype=int)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities `[rows, classes]` in the order of `classes_`."""
        check_is_fitted(self, "model_")
        return self.model_.predict_proba(self._rows(X))


class FewShotRegressor(RegressorMixin, _FewShot):
    """Adapts a run to the rows it is fitted on.

    Args:
        run: a run that predicts numbers, or its folder.

    Attributes:
        model_: the adapted model.
    """

    _objective = "regress"

    def fit(self, X: Any, y: Any) -> Self:
        """Adapt to rows (as `FewShotClassifier.fit` takes them) and their numbers.

        Raises:
            UsageError, DataError: as `FewShotClassifier.fit`.
        """
        self._adapt(X, np.asarray(y, dtype=np.float64))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The number of each row, `[rows]`."""
        check_is_fitted(self, "model_")
        return self.model_.predict(self._rows(X))
