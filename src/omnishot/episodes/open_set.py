"""Open-set tasks: some query rows are of classes that the support rows do not have."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from omnishot.episodes.rows import Episode, Rows, target_of, ways_of


def without_classes(task: Episode, ways: int, rng: np.random.Generator) -> tuple[Episode, Rows]:
    """A task of `ways` of one task's classes, and the query rows of its other classes, without a target.

    The classes that stay are drawn at random. They keep their order, which has a meaning where the classes of all tasks
    are the same.
    """
    support, query = task.support, task.query
    classes = ways_of(support)
    stay = np.sort(rng.choice(classes, ways, replace=False))
    number = torch.full((classes,), -1, device=support.present.device)
    number[torch.from_numpy(stay).to(number.device)] = torch.arange(ways, device=number.device)

    def of(rows: Rows, inside: bool) -> Rows:
        target = number[target_of(rows)]
        chosen = ((target >= 0) == inside).nonzero()[:, 0]
        part = rows.select(chosen)
        return dataclasses.replace(part, target=target[chosen] if inside else None, ways=ways)

    return Episode(of(support, True), of(query, True)), of(query, False)
