"""Tags: several labels a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from omnishot.episodes.clusters import text_clusters
from omnishot.episodes.labels import NONE, OwnLabels
from omnishot.episodes.rows import Rows, target_of
from omnishot.errors import UsageError
from omnishot.metrics.tags import tag_scores
from omnishot.nn.heads import Head, PrototypeHead
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective
from omnishot.objectives.targets import TableTarget, TaskTarget
from omnishot.table.table import Table
from omnishot.table.targets import LABELS, OF_ROWS


class Tag(Objective):
    """Any of the labels that a task's support rows have, each a binary decision.

    The target is float `[rows, labels]`: 1, 0, or -1 in all rows where tasks of a meta-batch have fewer labels than
    others. A label that no support row has is none of the task's and is ignored in its query rows. Mean average
    precision and F1, over the labels that some query row has.

    Args:
        most: labels of a task at most; of more, those that most support rows have.
    """

    name = "tag"
    gives = "labels"
    target_form = LABELS
    tasks_of = OF_ROWS
    defaults = MappingProxyType({"learner": "maml"})
    metric = "mean_average_precision"

    def __init__(self, *, most: int = 64):
        if most < 1:
            raise UsageError(f"most labels of a task must be at least 1, not {most}")
        self.most = most

    @property
    def numbering(self) -> OwnLabels:
        """How a task's labels are numbered."""
        return OwnLabels(self.most)

    def group_rows(self, table: Table, parts: np.ndarray, seed: int) -> np.ndarray:
        return text_clusters(table.texts, parts, seed)

    def encode_table(self, table: Table) -> TableTarget:
        return TableTarget(self.encode(table.texts)[0], self.numbering)

    def encode_task(self, table: Table) -> TaskTarget:
        labels, names = self.encode(table.texts)
        own = self.numbering.of(labels)
        multi_hot = self.numbering.multi_hot(labels, own, len(own))
        return TaskTarget(torch.from_numpy(multi_hot), tuple(names[label] for label in own))

    def encode(self, rows: Sequence[Sequence[str]]) -> tuple[np.ndarray, tuple[str, ...]]:
        """The labels of each row as numbers, int32 `[rows, labels a row]`, padded by -1; and their names, sorted."""
        tidy = [[" ".join(label.split()) for label in row] for row in rows]
        names = tuple(sorted({label for row in tidy for label in row}))
        number = {name: i for i, name in enumerate(names)}
        numbers = np.full((len(tidy), max((len(row) for row in tidy), default=1) or 1), NONE, np.int32)
        for place, row in zip(numbers, tidy, strict=True):
            place[: len(row)] = [number[label] for label in row]
        return numbers, names

    def outputs(self, ways: int | None) -> int:
        return self.most

    def head(self, network: Network, kind: str, ways: int | None) -> Head:
        if kind != "prototype":
            raise UsageError(f"head={kind!r}: labels differ from task to task; leave head out, or say 'prototype'")
        return TagHead(network.out)

    def loss(self, prediction: Tensor, rows: Rows) -> Tensor:
        """Binary cross-entropy, the mean over rows and the task's labels."""
        target = target_of(rows)
        known = (target != NONE).to(prediction.dtype)
        each = F.binary_cross_entropy_with_logits(
            prediction, target.clamp(min=0).to(prediction.dtype), reduction="none"
        )
        return (each * known).sum() / known.sum().clamp(min=1)

    def metrics(self, prediction: Tensor, rows: Rows) -> dict[str, float]:
        own = (target_of(rows) != NONE).all(0).cpu().numpy()
        target = target_of(rows).cpu().numpy()[:, own] > 0
        return tag_scores(self.probabilities(prediction)[:, own], target) | {"loss": self.loss(prediction, rows).item()}

    def probabilities(self, compact: Tensor) -> np.ndarray:
        """Probability of each label, float64 `[rows, labels]`; they need not sum to one."""
        return compact.detach().cpu().double().sigmoid().numpy()

    def decode(self, compact: Tensor, names: Sequence[str]) -> np.ndarray:
        """The labels of each row whose probability is above a half, an object array of lists."""
        labels = np.empty(len(compact), dtype=object)
        labels[:] = [[name for name, has in zip(names, row, strict=True) if has] for row in (compact > 0).tolist()]
        return labels

    def columns(self, compact: Tensor, names: Sequence[str], targets: Sequence[str]) -> dict[str, Any]:
        """`prediction`, a list of labels as JSON, and the probability of each label."""
        p = self.probabilities(compact)
        lists = [json.dumps(labels, ensure_ascii=False) for labels in self.decode(compact, names)]
        return {"prediction": lists, **{f"p({name})": p[:, i] for i, name in enumerate(names)}}

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "most": self.most}


class TagHead(PrototypeHead):
    """For each label a linear head that starts between the mean of the rows with it, c⁺, and that of those without, c⁻.

    s|f − c⁻|² − s|f − c⁺|² + log (n⁺ + 1)/(n⁻ + 1): `PrototypeHead` for two classes, and how common the label is among
    the n⁺ + n⁻ support rows, by the rule of succession. A mean of no rows is that of all, so that a label that all of
    them bear, or none, starts at its share alone.
    """

    def start(self, own: dict[str, Tensor], features: Callable[[], Tensor], support: Rows) -> dict[str, Tensor]:
        x, target = features(), target_of(support)
        bears = [(target == value).to(x.dtype) for value in (1, 0)]  # with the label, and without
        counts = [rows.sum(-2).unsqueeze(-1) for rows in bears]
        every = x.mean(-2, keepdim=True)
        yes, no = (
            torch.where(n > 0, (rows.mT @ x) / n.clamp(min=1), every) for rows, n in zip(bears, counts, strict=True)
        )
        prior = ((counts[0] + 1) / (counts[1] + 1)).log().squeeze(-1)
        between = self.scale * (no.square().sum(-1) - yes.square().sum(-1))
        return {"weight": 2 * self.scale * (yes - no), "bias": between + prior}
