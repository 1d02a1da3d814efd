"""Tags: several labels a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from omnishot.episodes.labels import NONE, OwnLabels
from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.metrics.tags import tag_scores
from omnishot.nn.heads import Head, PrototypeHead
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class Tag(Objective):
    """Any of the labels that a task's support rows bear, each by a yes or no of its own.

    The target is float `[rows, labels]`: 1, 0, or -1 in all rows where tasks of a meta-batch have fewer labels than
    others. A label that no support row bears is not one of the task's, and counts for nothing in its query rows. Mean
    average precision and F1, over the labels that some query row bears.

    Args:
        most: labels of a task; of more, those that most support rows bear.
    """

    name = "tag"
    gives = "labels"
    metric = "mean_average_precision"

    def __init__(self, *, most: int = 64):
        if most < 1:
            raise UsageError(f"most labels of a task must be at least 1, not {most}")
        self.most = most

    @property
    def own(self) -> OwnLabels:
        """How a task's labels are numbered."""
        return OwnLabels(self.most)

    def encode(self, rows: Sequence[Sequence[str]]) -> tuple[np.ndarray, tuple[str, ...]]:
        """The labels of each row as numbers, int32 `[rows, labels a row]`, padded by -1; and their names, sorted."""
        tidy = [[" ".join(label.split()) for label in row] for row in rows]
        names = tuple(sorted({label for row in tidy for label in row}))
        number = {name: i for i, name in enumerate(names)}
        found = np.full((len(tidy), max((len(row) for row in tidy), default=1) or 1), NONE, np.int32)
        for place, row in zip(found, tidy, strict=True):
            place[: len(row)] = [number[label] for label in row]
        return found, names

    def outputs(self, ways: int | None) -> int:
        return self.most

    def head(self, network: Network, kind: str, ways: int | None) -> Head:
        if kind != "prototype":
            raise UsageError(f"head={kind!r}: labels differ from task to task; leave head out, or say 'prototype'")
        return TagHead(network.out)

    def loss(self, prediction: Tensor, rows: Rows) -> Tensor:
        """Binary cross-entropy, the mean over rows and the task's labels."""
        assert rows.target is not None
        known = (rows.target != NONE).to(prediction.dtype)
        wanted = rows.target.clamp(min=0).to(prediction.dtype)
        each = F.binary_cross_entropy_with_logits(prediction, wanted, reduction="none")
        return (each * known).sum() / known.sum().clamp(min=1)

    def metrics(self, prediction: Tensor, rows: Rows) -> dict[str, float]:
        assert rows.target is not None
        own = (rows.target != NONE).all(0).cpu().numpy()
        target = rows.target.cpu().numpy()[:, own] > 0
        return tag_scores(self.probabilities(prediction)[:, own], target) | {"loss": self.loss(prediction, rows).item()}

    def probabilities(self, prediction: Tensor) -> np.ndarray:
        """Probability of each label, float64 `[rows, labels]`; they need not sum to one."""
        return prediction.detach().cpu().double().sigmoid().numpy()

    def answers(self, kept: Tensor, names: Sequence[str]) -> np.ndarray:
        """The labels of each row that are likelier than not, an object array of lists."""
        found = np.empty(len(kept), dtype=object)
        found[:] = [[name for name, said in zip(names, row, strict=True) if said] for row in (kept > 0).tolist()]
        return found

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "most": self.most}


class TagHead(PrototypeHead):
    """For each label a linear head that starts between the mean of the rows with it, c⁺, and that of those without, c⁻.

    s|f − c⁻|² − s|f − c⁺|² + log (n⁺ + 1)/(n⁻ + 1): `PrototypeHead` for two classes, and how common the label is among
    the n⁺ + n⁻ support rows, by the rule of succession. A mean of no rows is that of all, so that a label that all of
    them bear, or none, starts at its share alone.
    """

    def start(self, own: dict[str, Tensor], features: Callable[[], Tensor], support: Rows) -> dict[str, Tensor]:
        assert support.target is not None
        seen = features()
        bears = [(support.target == value).to(seen.dtype) for value in (1, 0)]  # with the label, and without
        counts = [rows.sum(-2).unsqueeze(-1) for rows in bears]
        every = seen.mean(-2, keepdim=True)
        yes, no = (
            torch.where(n > 0, (rows.mT @ seen) / n.clamp(min=1), every) for rows, n in zip(bears, counts, strict=True)
        )
        prior = ((counts[0] + 1) / (counts[1] + 1)).log().squeeze(-1)
        between = self.scale * (no.square().sum(-1) - yes.square().sum(-1))
        return {"weight": 2 * self.scale * (yes - no), "bias": between + prior}
