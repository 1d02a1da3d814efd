"""Whether it shows that a row belongs to none of a task's classes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from omnishot.core import seeds
from omnishot.core.distributed import ALONE, Ranks
from omnishot.episodes.loader import Loader
from omnishot.episodes.open_set import apart
from omnishot.episodes.rows import concatenate
from omnishot.evaluation.episodes import Figure, drawn, interval, records
from omnishot.learners.base import Learner


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """How often a row of the task scores higher than one that is not, `[rows]` each; equal scores count half."""
    from sklearn.metrics import roc_auc_score  # a second to import, that few need

    scores = np.concatenate([inside, outside])
    known = np.nan_to_num(scores, nan=np.finfo(scores.dtype).min)
    return float(roc_auc_score(np.arange(len(scores)) < len(inside), known))


def open_set_figures(
    learner: Learner,
    loader: Loader,
    open_set: int,
    episodes: int,
    about: Mapping[str, Any],
    device: torch.device | str = "cpu",
    label: str | None = None,
    ranks: Ranks = ALONE,
) -> list[Figure]:
    """`tell_apart` as records; `about` holds what the loader does not know (learner, fusion, split)."""
    began = time.perf_counter()
    results = tell_apart(learner, loader, open_set, episodes, device, label, ranks)
    return records(results, learner, loader, episodes, about, time.perf_counter() - began, open_set=open_set)


def tell_apart(
    learner: Learner,
    loader: Loader,
    open_set: int,
    episodes: int,
    device: torch.device | str = "cpu",
    label: str | None = None,
    ranks: Ranks = ALONE,
) -> dict[str, tuple[float, float]]:
    """Adapt to tasks that lack `open_set` of their classes, and tell the query rows of these from the others.

    The area under the ROC curve of each score (`Objective.familiarity`): mean over episodes, half-width of its 95% interval.

    Args:
        loader: of tasks with all of these classes.
    """
    objective = learner.objective
    assert isinstance(loader.shape.ways, int)
    found: list[dict[str, float]] = []
    for number, task in drawn(loader, episodes, device, label, ranks):
        rng = seeds.open_set(loader.seed, number)
        own, strangers = apart(task, loader.shape.ways - open_set, rng)
        # Together, as a learner that uses the query rows' statistics would meet them.
        query = concatenate(dataclasses.replace(own.query, target=None), strangers)
        scores = objective.familiarity(learner.answer(learner.adapt(own.support), query))
        found.append({name: auroc(*np.split(score, [len(own.query)])) for name, score in scores.items()})
    every = [each for share in ranks.gather(found) for each in share]
    return {name: interval([each[name] for each in every]) for name in every[0]}
