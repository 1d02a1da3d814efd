"""Numbers: squared error on a standardised target; figures in the target's own unit."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.errors import choose
from omnishot.nn.heads import Head, LinearHead
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class Regress(Objective):
    """One number a row, standardised by the training rows' mean and spread while learning."""

    name = "regress"
    metric = "mae"
    higher_is_better = False

    def __init__(self, mean: float = 0.0, std: float = 1.0):
        self.mean, self.std = mean, std

    def outputs(self, ways: int | None) -> int:
        return 1

    def head(self, network: Network, kind: str, ways: int | None) -> Head:
        """A learned head, whatever is said: numbers have no class means to start at."""
        choose("head", kind, ("prototype", "fixed"))
        return LinearHead(network.out, self.outputs(ways))

    def loss(self, prediction: Tensor, rows: Rows) -> Tensor:
        assert rows.target is not None
        return (prediction - rows.target).square().mean()

    def metrics(self, prediction: Tensor, rows: Rows) -> dict[str, float]:
        assert rows.target is not None
        error = (prediction - rows.target).double() * self.std
        spread = (rows.target.double() * self.std).var(correction=0).clamp(min=1e-12)
        return {
            "mae": error.abs().mean().item(),
            "rmse": error.square().mean().sqrt().item(),
            "r2": (1 - error.square().mean() / spread).item(),
            "loss": self.loss(prediction, rows).item(),
        }

    def decode(self, prediction: Tensor) -> Tensor:
        """Standardised predictions in the target's own unit."""
        return prediction * self.std + self.mean

    def encode(self, target: Tensor) -> Tensor:
        """Numbers in their own unit, standardised."""
        return (target - self.mean) / self.std

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "mean": self.mean, "std": self.std}
