"""Why a learner answers so: everything that is measured about one task."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from omnishot.analysis.explain.cka import linear_cka
from omnishot.analysis.explain.movement import movement
from omnishot.analysis.explain.neighbours import nearest
from omnishot.analysis.explain.projection import Plane
from omnishot.analysis.explain.shapley import shapley, subsets
from omnishot.analysis.explain.similarity import similarity
from omnishot.analysis.explain.task import Task
from omnishot.episodes.rows import Rows
from omnishot.errors import DataError, UsageError
from omnishot.learners.base import Params
from omnishot.nn.linear import written_out

#: Inputs of which all subsets are shown; each further one doubles the work.
MOST_INPUTS = 12
NEAREST = 3


@dataclass(frozen=True)
class Change:
    """What learning the task did to the parameters.

    Args:
        moved: by module, how far its parameters went, the furthest first; empty where all stay as they are.
        alike: by input, CKA of its embeddings before and after, NaN where they do not vary; None where the network
            stays as it is (or has no embeddings).
    """

    moved: Mapping[str, float]
    alike: Mapping[str, float] | None


@dataclass(frozen=True)
class Picture:
    """Features of query and support rows in one plane, before the task was learned and after, `[rows, 2]` each.

    Args:
        share: how much of the features' variance lies in the plane.
        before, after: of the query rows, and of the support rows if they are at hand; `before` is None where learning
            the task leaves the network as it is.
    """

    share: float
    before: list[np.ndarray] | None
    after: list[np.ndarray]


@dataclass(frozen=True)
class Explanation:
    """What moved the answers of one task, row by row, and what learning it changed.

    The value of a query row under some of its cells is the probability of the class that it is answered with (what
    the objective makes of it, temperature included), or the predicted number in its own unit. What a network says of
    a row without any cell was never trained, so the value of nothing is that of knowing nothing: the same probability
    for every class, or the mean of the training rows.

    Args:
        task: what is explained.
        answer: classes, or numbers, `[rows]`.
        probabilities: `[rows, classes]`; None for numbers.
        values: the value under every subset of the inputs, float64 `[2**inputs, rows]`, as `shapley.subsets` has them.
        alone: what each input alone is answered with, as `answer`, `[rows, inputs]`; of no meaning for absent cells.
        contributions: Shapley values `[rows, inputs]`; exactly zero for absent cells.
        weights: how much the fusion counts each input, `[rows, inputs]`; None if it does not weigh them.
        neighbours: (support rows, distances in the learned task's features), `[rows, NEAREST]` each; None without them.
        similarity: mean cosines between inputs, by which rows are paired; None where there are not two embeddings.
        change: what learning the task did to the parameters.
        picture: of the features.
    """

    task: Task
    answer: np.ndarray
    probabilities: np.ndarray | None
    values: np.ndarray
    alone: np.ndarray
    contributions: np.ndarray
    weights: np.ndarray | None
    neighbours: tuple[np.ndarray, np.ndarray] | None
    similarity: Mapping[str, np.ndarray] | None
    change: Change
    picture: Picture

    @property
    def inputs(self) -> list[str]:
        """The inputs' names, in order."""
        return self.task.learner.network.names

    @property
    def importance(self) -> np.ndarray:
        """Mean size of each input's contribution over all rows, `[inputs]`; an absent cell counts as zero."""
        return np.abs(self.contributions).mean(0)

    @property
    def balance(self) -> np.ndarray:
        """The same with its sign: near zero for an input that moves answers now this way, now that, as noise does."""
        return self.contributions.mean(0)

    @property
    def right(self) -> np.ndarray:
        """Which rows are answered right, bool `[rows]`; False where the truth is not known, and for numbers."""
        return (self.answer == self.task.truth) if self.task.names else np.zeros(len(self.answer), bool)

    def to_json(self) -> dict[str, Any]:
        """All figures as plain values; what is not known is null."""
        task, alike = self.task, self.change.alike
        return {
            "task": task.said,
            "notes": list(task.notes),
            "value": "probability of the answer" if task.names else task.target,
            "classes": list(task.names),
            "inputs": self.inputs,
            "importance": self._by_input(self.importance),
            "balance": self._by_input(self.balance),
            "weights": None if self.weights is None else self._by_input(self.weights.mean(0)),
            "similarity": self.similarity and {name: _plain(found) for name, found in self.similarity.items()},
            "cka": alike and {name: _plain(value) for name, value in alike.items()},
            "moved": {name: _plain(value) for name, value in self.change.moved.items()},
            "rows": [self._row(i) for i in range(len(self.answer))],
        }

    def _row(self, i: int) -> dict[str, Any]:
        task, support = self.task, self.task.support
        found: dict[str, Any] = {
            "row": task.query.numbers[i],
            "answer": self.said(self.answer[i]),
            "truth": self.said(task.truth[i]) if task.known[i] else None,
            "nothing_shown": float(self.values[0, i]),
            "all_shown": float(self.values[-1, i]),
            "contributions": self._by_input(self.contributions[i]),
            "alone": {
                name: self.said(self.alone[i, j]) if task.query.present[i, j] else None
                for j, name in enumerate(self.inputs)
            },
            "weights": None if self.weights is None else self._by_input(self.weights[i]),
            "nearest": None,
        }
        if self.neighbours is not None and support is not None:
            found["nearest"] = [
                {"row": support.numbers[s], "target": self.said(task.taught[s]), "distance": float(distance)}
                for s, distance in zip(self.neighbours[0][i], self.neighbours[1][i], strict=True)
            ]
        return found

    def said(self, value: Any) -> str | float:
        """A class's name, or a number."""
        return self.task.names[int(value)] if self.task.names else float(value)

    def _by_input(self, values: np.ndarray) -> dict[str, float]:
        return dict(zip(self.inputs, map(float, values), strict=True))


@torch.no_grad()
def explain(task: Task) -> Explanation:
    """Measure everything about a task.

    Raises:
        DataError: if there are too many inputs to show every subset of them.
        UsageError: if the answers are texts or labels.
    """
    learner, query, support = task.learner, task.query, task.support
    if not learner.objective.explainable:
        raise UsageError(
            "what moved an answer is measured for classes and numbers, and this run predicts "
            f"{learner.objective.gives}: omnishot report RUN shows what there is to say of held-out tasks"
        )
    inputs = len(learner.network.names)
    if inputs > MOST_INPUTS:
        raise DataError(
            f"{inputs} inputs have {2**inputs:,} subsets: contributions are measured for {MOST_INPUTS} inputs at most"
        )
    params = {name: p.detach() for name, p in learner.named_parameters()}
    after: Params = written_out(learner.adapted(params, task.state))
    answer, probabilities = _answers(task, _scores(task, query.present))
    values, alone = _shown(task, answer)
    rows = [part.rows.to(learner.device) for part in (query, support) if part is not None]
    features = [_numpy(learner.represent(params, task.state, each)) for each in rows]
    stays = not movement(_network(params), _network(after))
    weights = learner.part("network", after, rows[0], method="weights") if learner.fuses else None
    return Explanation(
        task=task,
        answer=answer,
        probabilities=probabilities,
        values=values,
        alone=alone,
        contributions=shapley(values).T,
        weights=None if weights is None else _numpy(weights),
        neighbours=nearest(features[0], features[1], NEAREST) if support is not None else None,
        similarity=_similarity(task, after, rows),
        change=_change(task, params, after, rows, stays),
        picture=_picture(None if stays else [_numpy(learner.features(params, each)) for each in rows], features),
    )


def _scores(task: Task, present: np.ndarray) -> Tensor:
    """What the learner says of the query rows when it is shown these of their cells, bool `[rows, inputs]`."""
    rows = dataclasses.replace(task.query.rows, present=torch.from_numpy(present), target=None)
    return task.learner.answer(task.state, rows.to(task.learner.device)).cpu()


def _answers(task: Task, scores: Tensor) -> tuple[np.ndarray, np.ndarray | None]:
    objective = task.learner.objective
    return objective.value(scores), objective.probabilities(scores)


def _shown(task: Task, answer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The value of every query row under every subset of the inputs, float64 `[2**inputs, rows]`, and what it is
    answered with under each input alone, `[rows, inputs]`."""
    present, every = task.query.present, subsets(task.query.present.shape[1])
    objective = task.learner.objective
    nothing = objective.prior_value(len(task.names))
    found, alone = [np.full(len(answer), nothing)], []
    for shown in every[1:]:
        answers, probabilities = _answers(task, _scores(task, present & shown))
        found.append(answers if probabilities is None else probabilities[np.arange(len(answer)), answer])
        if shown.sum() == 1:
            alone.append(answers)
    # A subset is worth what those of its cells are worth that the row has, also where rows depend on one another.
    own = present @ (1 << np.arange(present.shape[1]))
    values = np.stack(found)[np.arange(len(every))[:, None] & own, np.arange(len(answer))]
    return values, np.stack(alone, -1)


def _similarity(task: Task, after: Params, rows: Sequence[Rows]) -> dict[str, np.ndarray] | None:
    network = task.learner.network
    if not network.has_embeddings or len(network.names) == 1:
        return None
    embeddings = np.concatenate([_numpy(task.learner.embeddings(after, each)) for each in rows])
    classes = None
    if task.names:
        classes = np.concatenate([task.truth, task.taught])
    return similarity(embeddings, np.concatenate([each.present.cpu().numpy() for each in rows]), classes)


def _change(task: Task, params: Params, after: Params, rows: Sequence[Rows], stays: bool) -> Change:
    learner, support = task.learner, task.support
    start = learner.start(params, support.learned_from().to(learner.device)) if support is not None else {}
    moved = movement({**params, **start}, after, learner.network.names)
    if stays or not learner.network.has_embeddings:
        return Change(moved, None)
    both = [np.concatenate([_numpy(learner.embeddings(p, each)) for each in rows]) for p in (params, after)]
    here = np.concatenate([each.present.cpu().numpy() for each in rows])
    alike = {
        name: linear_cka(both[0][here[:, i], i], both[1][here[:, i], i]) if here[:, i].any() else math.nan
        for i, name in enumerate(learner.network.names)
    }
    return Change(moved, alike)


def _picture(before: Sequence[np.ndarray] | None, after: Sequence[np.ndarray]) -> Picture:
    plane = Plane.fit(np.concatenate([*(before or ()), *after]))
    return Picture(
        plane.share, None if before is None else list(map(plane.project, before)), list(map(plane.project, after))
    )


def _network(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: p for name, p in params.items() if name.startswith("network.")}


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.double().cpu().numpy()


def _plain(value: Any) -> Any:
    """A number, or nested lists of numbers; null for what is not finite."""
    if isinstance(value, np.ndarray):
        return [_plain(each) for each in value]
    return float(value) if math.isfinite(value) else None
