"""Numbers: squared error on a standardised target; figures in the target's own unit."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.errors import choose
from omnishot.nn.heads import Head, LinearHead
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective, Scaler

#: One number, or one of each target.
Numbers = float | Sequence[float] | np.ndarray
#: By what targets may be standardised.
TABLE, TASK = STANDARDS = ("table", "task")


class Regress(Objective):
    """One number a row, or several, each standardised by the training rows' mean and spread while learning.

    With `standardise` `task` learners see each task's targets less the mean of its n support rows, over the root of
    (Σ d² + std²) / n, d being the distances from that mean: the rows' own spread if there are many, the training rows'
    if there is one. How large a task's numbers are they then need not know, and cannot; all tasks count alike in
    training. Predictions and figures are in the targets' own units.

    Args:
        mean, std: of the training rows, of each number; a single one may be said by itself.
        standardise: by what targets are standardised while learning: that of the whole `table`, or of the `task`.
    """

    name = "regress"
    gives = "a number"
    metric = "mae"

    def __init__(self, mean: Numbers = 0.0, std: Numbers = 1.0, *, standardise: str = TABLE):
        self.standardise = choose("standardise", standardise, STANDARDS)
        self.mean, self.std = (np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in (mean, std))

    def fitted_to(self, numbers: np.ndarray) -> Regress:
        """This objective for the targets `[rows, targets]` of training rows."""
        spread = numbers.std(0)
        return type(self)(numbers.mean(0), np.where(spread > 0, spread, 1.0), standardise=self.standardise)

    @property
    def kind(self) -> str:
        return "regress"

    def outputs(self, ways: int | None) -> int:
        return len(self.mean)

    def head(self, network: Network, kind: str, ways: int | None) -> Head:
        """A learned head, whatever is said: numbers have no class means to start at."""
        choose("head", kind, ("prototype", "fixed"))
        return LinearHead(network.out, self.outputs(ways))

    def loss(self, prediction: Tensor, rows: Rows) -> Tensor:
        assert rows.target is not None
        return (prediction - rows.target).square().mean()

    def metrics(self, prediction: Tensor, rows: Rows) -> dict[str, float]:
        """Mean absolute error, root of the mean squared error and R² in the targets' own units, of several targets the
        mean over them and each by its place (`mae_1` …)."""
        assert rows.target is not None
        std = torch.from_numpy(self.std).to(prediction.device)
        error = (prediction - rows.target).double() * std
        spread = (rows.target.double() * std).var(0, correction=0).clamp(min=1e-12)
        squared = error.square().mean(0)
        each = {"mae": error.abs().mean(0), "rmse": squared.sqrt(), "r2": 1 - squared / spread}
        found = {name: values.mean().item() for name, values in each.items()}
        if len(self.std) > 1:
            found |= {f"{name}_{i}": v for name, values in each.items() for i, v in enumerate(values.tolist(), 1)}
        return found | {"loss": self.loss(prediction, rows).item()}

    def fit_scaler(self, support: Rows) -> Scaler:
        """Centre and spread of the targets `[..., rows, targets]` of support rows, each `[..., 1, targets]`."""
        if self.standardise == TABLE:
            return {}
        assert support.target is not None
        centre = support.target.mean(-2, keepdim=True)
        squares = (support.target - centre).square().sum(-2, keepdim=True)
        return {"centre": centre, "spread": ((squares + 1) / len(support)).sqrt()}

    def transform(self, rows: Rows, scaler: Scaler) -> Rows:
        if not scaler or rows.target is None:
            return rows
        return dataclasses.replace(rows, target=(rows.target - scaler["centre"]) / scaler["spread"])

    def inverse_transform(self, prediction: Tensor, scaler: Scaler) -> Tensor:
        return prediction * scaler["spread"] + scaler["centre"] if scaler else prediction

    def answers(self, kept: Tensor, names: Sequence[str]) -> np.ndarray:
        found = self.decode(kept)
        return found[:, 0] if found.shape[-1] == 1 else found

    def decode(self, prediction: Tensor) -> np.ndarray:
        """Standardised predictions `[rows, targets]` in the targets' own units."""
        return prediction.double().cpu().numpy() * self.std + self.mean

    def encode(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers `[rows, targets]` in their own units, standardised."""
        return (numbers - self.mean) / self.std

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "mean": self.mean.tolist(), "std": self.std.tolist()} | (
            {} if self.standardise == TABLE else {"standardise": self.standardise}
        )
