"""Computes the explanation of a task: predictions under every subset of the inputs, features and parameters."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from omnishot.analysis.explain.cka import linear_cka
from omnishot.analysis.explain.explanation import Change, Explanation, ProjectedFeatures
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

#: Most inputs that are explained; each further input doubles the number of subsets.
MOST_INPUTS = 12
#: Support rows that each query row is compared with.
NEAREST = 3


@torch.no_grad()
def explain_task(task: Task) -> Explanation:
    """Compute the explanation of a task.

    Raises:
        DataError: if there are more than MOST_INPUTS inputs.
        UsageError: if the objective predicts texts or labels.
    """
    learner, query, support = task.learner, task.query, task.support
    if not learner.objective.explainable:
        raise UsageError(
            "contributions are computed for classes and numbers, and this run predicts "
            f"{learner.objective.gives}: omnishot report RUN shows sample tasks"
        )
    inputs = len(learner.network.names)
    if inputs > MOST_INPUTS:
        raise DataError(
            f"{inputs} inputs have {2**inputs:,} subsets: contributions are computed for at most {MOST_INPUTS} inputs"
        )
    params = {name: p.detach() for name, p in learner.named_parameters()}
    after: Params = written_out(learner.adapted(params, task.state))
    prediction, probabilities = _predictions(task, _scores(task, query.present))
    values, alone = _subset_values(task, prediction)
    rows = [part.rows.to(learner.device) for part in (query, support) if part is not None]
    features = [_numpy(learner.represent(params, task.state, each)) for each in rows]
    unchanged = not movement(_network(params), _network(after))
    before = None if unchanged else [_numpy(learner.features(params, each)) for each in rows]
    weights = learner.part("network", after, rows[0], method="weights") if learner.fuses else None
    return Explanation(
        task=task,
        prediction=prediction,
        probabilities=probabilities,
        values=values,
        alone=alone,
        contributions=shapley(values).T,
        fusion_weights=None if weights is None else _numpy(weights),
        neighbours=nearest(features[0], features[1], NEAREST) if support is not None else None,
        similarity=_similarity(task, after, rows),
        change=_change(task, params, after, rows, unchanged),
        features=_project(before, features),
    )


def _scores(task: Task, present: np.ndarray) -> Tensor:
    """The learner's prediction of the query rows with only these cells present, bool `[rows, inputs]`."""
    rows = dataclasses.replace(task.query.rows, present=torch.from_numpy(present), target=None)
    return task.learner.answer(task.state, rows.to(task.learner.device)).cpu()


def _predictions(task: Task, scores: Tensor) -> tuple[np.ndarray, np.ndarray | None]:
    """Predicted classes `[rows]` and probabilities `[rows, classes]`; or numbers in their own unit, and None."""
    objective = task.learner.objective
    return objective.value(scores), objective.probabilities(scores)


def _subset_values(task: Task, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The value of every query row under every subset of the inputs, float64 `[2**inputs, rows]`, and the predictions
    from each input alone, `[rows, inputs]`."""
    present, every = task.query.present, subsets(task.query.present.shape[1])
    base = task.learner.objective.prior_value(len(task.classes))
    by_subset, alone = [np.full(len(prediction), base)], []
    for subset in every[1:]:
        predicted, probabilities = _predictions(task, _scores(task, present & subset))
        by_subset.append(predicted if probabilities is None else probabilities[np.arange(len(prediction)), prediction])
        if subset.sum() == 1:
            alone.append(predicted)
    # A subset has the value of those of its cells that the row has. Looking that value up, instead of using the one
    # computed, keeps absent cells at exactly zero where the rows of a batch influence each other.
    own = present @ (1 << np.arange(present.shape[1]))
    values = np.stack(by_subset)[np.arange(len(every))[:, None] & own, np.arange(len(prediction))]
    return values, np.stack(alone, -1)


def _similarity(task: Task, after: Params, rows: Sequence[Rows]) -> dict[str, np.ndarray] | None:
    """Mean cosines between embeddings after adaptation; None for early fusion and for a single input."""
    network = task.learner.network
    if not network.has_embeddings or len(network.names) == 1:
        return None
    embeddings = np.concatenate([_numpy(task.learner.embeddings(after, each)) for each in rows])
    classes = np.concatenate([task.query_target, task.support_target]) if task.classes else None
    return similarity(embeddings, np.concatenate([each.present.cpu().numpy() for each in rows]), classes)


def _change(task: Task, params: Params, after: Params, rows: Sequence[Rows], unchanged: bool) -> Change:
    """How parameters and embeddings differ before and after adaptation."""
    learner, support = task.learner, task.support
    start = learner.start(params, support.learned_from().to(learner.device)) if support is not None else {}
    moved = movement({**params, **start}, after, learner.network.names)
    if unchanged or not learner.network.has_embeddings:
        return Change(moved, None)
    both = [np.concatenate([_numpy(learner.embeddings(p, each)) for each in rows]) for p in (params, after)]
    present = np.concatenate([each.present.cpu().numpy() for each in rows])
    cka = {
        name: linear_cka(both[0][present[:, i], i], both[1][present[:, i], i]) if present[:, i].any() else math.nan
        for i, name in enumerate(learner.network.names)
    }
    return Change(moved, cka)


def _project(before: Sequence[np.ndarray] | None, after: Sequence[np.ndarray]) -> ProjectedFeatures:
    """Features before and after adaptation, projected onto one plane fitted to all of them."""
    plane = Plane.fit(np.concatenate([*(before or ()), *after]))
    projected = None if before is None else list(map(plane.project, before))
    return ProjectedFeatures(plane.explained_variance, projected, list(map(plane.project, after)))


def _network(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: p for name, p in params.items() if name.startswith("network.")}


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.double().cpu().numpy()
