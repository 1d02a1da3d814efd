"""Numbers: squared error on a standardised target; figures in the target's own unit."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from omnishot.episodes.rows import Rows, target_of
from omnishot.errors import DataError, choose
from omnishot.nn.heads import Head, LinearHead
from omnishot.nn.network import Network
from omnishot.objectives.base import NUMBERS, Objective, Scaler
from omnishot.objectives.targets import TableTarget, TaskTarget, numbers_of
from omnishot.table.table import Table
from omnishot.table.targets import NUMBER

#: One number, or one of each target.
Numbers = float | Sequence[float] | np.ndarray
#: The rows whose mean and spread standardise targets.
TABLE, TASK = STANDARDS = ("table", "task")


class Regress(Objective):
    """One number a row, or several, each standardised by the training rows' mean and spread while learning.

    With `standardise="task"` a task's targets are standardised by the mean of its n support rows and by the spread
    √((Σ d² + std²) / n), d being the distances from that mean: with many rows that is their own spread, with one row
    that of the training rows. The learner then does not see the size of a task's numbers, and all tasks have the same
    weight in training. Predictions and figures are in the targets' own units.

    Args:
        mean, std: of the training rows, one of each number; a single one may be given as a number.
        standardise: the rows whose mean and spread standardise targets while learning: those of the whole `table`, or
            the support rows of the `task`.
    """

    name = "regress"
    gives = "a number"
    kind = NUMBERS
    target_form = NUMBER
    several_targets = True
    metric = "mae"
    defaults = MappingProxyType({"learner": "maml"})
    explainable = True

    def __init__(self, mean: Numbers = 0.0, std: Numbers = 1.0, *, standardise: str = "table"):
        self.standardise = choose("standardise", standardise, STANDARDS)
        self.mean, self.std = (np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in (mean, std))

    @property
    def scales_by_task(self) -> bool:
        return self.standardise == TASK

    def fit_table(self, table: Table, training: np.ndarray, tasks: np.ndarray | None) -> Self:
        return self.fit_numbers(numbers_of(table)[training])

    def fit_numbers(self, numbers: np.ndarray) -> Self:
        """This objective with the mean and spread of the targets `[rows, targets]` of training rows."""
        spread = numbers.std(0)
        return type(self)(numbers.mean(0), np.where(spread > 0, spread, 1.0), standardise=self.standardise)

    def encode_table(self, table: Table) -> TableTarget:
        return TableTarget(self.standardised(numbers_of(table)).astype(np.float32))

    def encode_task(self, table: Table) -> TaskTarget:
        """Raises DataError where a number is not finite."""
        numbers = numbers_of(table)
        for row, place in np.argwhere(~np.isfinite(numbers)).tolist():
            column = table.schema.targets[place]
            raise DataError(f"{table.name}, row {table.row_number(row)}, column {column!r}: no finite number")
        return TaskTarget(torch.from_numpy(self.standardised(numbers).astype(np.float32)))

    def outputs(self, ways: int | None) -> int:
        return len(self.mean)

    def head(self, network: Network, kind: str, ways: int | None) -> Head:
        """A learned head for either kind: numbers have no class means to start at."""
        choose("head", kind, ("prototype", "linear"))
        return LinearHead(network.out, self.outputs(ways))

    def loss(self, prediction: Tensor, rows: Rows) -> Tensor:
        return (prediction - target_of(rows)).square().mean()

    def metrics(self, prediction: Tensor, rows: Rows) -> dict[str, float]:
        """Mean absolute error, root of the mean squared error and R² in the targets' own units, of several targets the
        mean over them and each by its place (`mae_1` …)."""
        target = target_of(rows)
        std = torch.from_numpy(self.std).to(prediction.device)
        error = (prediction - target).double() * std
        spread = (target.double() * std).var(0, correction=0).clamp(min=1e-12)
        squared = error.square().mean(0)
        each = {"mae": error.abs().mean(0), "rmse": squared.sqrt(), "r2": 1 - squared / spread}
        figures = {name: values.mean().item() for name, values in each.items()}
        if len(self.std) > 1:
            figures |= {f"{name}_{i}": v for name, values in each.items() for i, v in enumerate(values.tolist(), 1)}
        return figures | {"loss": self.loss(prediction, rows).item()}

    def fit_scaler(self, support: Rows) -> Scaler:
        """Centre and spread of the targets `[..., rows, targets]` of support rows, each `[..., 1, targets]`."""
        if self.standardise == TABLE:
            return {}
        target = target_of(support)
        centre = target.mean(-2, keepdim=True)
        squares = (target - centre).square().sum(-2, keepdim=True)
        return {"centre": centre, "spread": ((squares + 1) / len(support)).sqrt()}

    def transform(self, rows: Rows, scaler: Scaler) -> Rows:
        if not scaler or rows.target is None:
            return rows
        return dataclasses.replace(rows, target=(rows.target - scaler["centre"]) / scaler["spread"])

    def inverse_transform(self, prediction: Tensor, scaler: Scaler) -> Tensor:
        return prediction * scaler["spread"] + scaler["centre"] if scaler else prediction

    def decode(self, compact: Tensor, names: Sequence[str]) -> np.ndarray:
        numbers = self.in_units(compact)
        return numbers[:, 0] if numbers.shape[-1] == 1 else numbers

    def in_units(self, standardised: Tensor) -> np.ndarray:
        """Standardised numbers `[rows, targets]` in the targets' own units, float64."""
        return standardised.double().cpu().numpy() * self.std + self.mean

    def standardised(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers `[rows, targets]` in their own units, standardised."""
        return (numbers - self.mean) / self.std

    def value(self, compact: Tensor) -> np.ndarray:
        return self.in_units(compact)[:, 0]

    def target_value(self, target: Tensor) -> np.ndarray:
        return self.in_units(target)[:, 0]

    def prior_value(self, ways: int) -> float:
        return float(self.mean[0])

    def known_values(self, column: pd.Series | None, rows: int, names: tuple[str, ...]) -> np.ndarray:
        if column is None:
            return np.full(rows, np.nan)
        return pd.to_numeric(column, errors="coerce").to_numpy(np.float64)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "mean": self.mean.tolist(), "std": self.std.tolist()} | (
            {} if self.standardise == TABLE else {"standardise": self.standardise}
        )
