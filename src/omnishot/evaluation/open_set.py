"""Open-set recognition: whether query rows of classes outside the task are recognised as such."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from omnishot.core import seeds
from omnishot.episodes.open_set import without_classes
from omnishot.episodes.rows import concatenate
from omnishot.errors import UsageError
from omnishot.evaluation.evaluator import Evaluator
from omnishot.evaluation.figure import Figure, Results, interval


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """The probability that a row of the task scores higher than one of another class; equal scores count half.

    Both arguments are scores `[rows]`.
    """
    from sklearn.metrics import roc_auc_score  # takes a second to import and is rarely needed

    scores = np.concatenate([known, unknown])
    finite = np.nan_to_num(scores, nan=np.finfo(scores.dtype).min)
    return float(roc_auc_score(np.arange(len(scores)) < len(known), finite))


def open_set_figures(evaluator: Evaluator, open_set: int) -> list[Figure]:
    """`open_set_results` as figures."""
    began = time.perf_counter()
    results = open_set_results(evaluator, open_set)
    return evaluator.to_figures(results, time.perf_counter() - began, open_set)


def open_set_results(evaluator: Evaluator, open_set: int) -> Results:
    """Adapt to tasks without `open_set` of their classes: the area under the ROC curve of each score of
    `Objective.familiarity`.

    Args:
        evaluator: draws tasks that include these classes.

    Raises:
        UsageError: if tasks have no classes, or numbers of classes that vary.
    """
    learner, ways = evaluator.learner, evaluator.loader.shape.ways
    if not isinstance(ways, int):
        raise UsageError("open_set is a number of classes, but this run does not predict a class: leave it out")
    own: list[dict[str, float]] = []
    for number, task in evaluator.tasks():
        closed, unknown = without_classes(task, ways - open_set, seeds.open_set(evaluator.loader.seed, number))
        # All together, so that a transductive learner uses the statistics of both.
        query = concatenate(dataclasses.replace(closed.query, target=None), unknown)
        scores = learner.objective.familiarity(learner.answer(learner.adapt(closed.support), query))
        own.append({name: auroc(*np.split(score, [len(closed.query)])) for name, score in scores.items()})
    every = [each for of_rank in evaluator.ranks.gather(own) for each in of_rank]
    return {name: interval([each[name] for each in every]) for name in every[0]}
