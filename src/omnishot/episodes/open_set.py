"""Open-set tasks: some query rows are of classes that the support rows do not have."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from omnishot.episodes.rows import Episode, Rows


def without_classes(task: Episode, ways: int, rng: np.random.Generator) -> tuple[Episode, Rows]:
    """A task of `ways` of one task's classes, and the query rows of its other classes, without a target.

    Which classes stay is drawn; they keep their order, so that a class whose place has a meaning keeps it.
    """
    support, query = task.support, task.query
    assert support.ways is not None
    assert support.target is not None
    assert query.target is not None
    stay = np.sort(rng.choice(support.ways, ways, replace=False))
    number = torch.full((support.ways,), -1, device=support.target.device)
    number[torch.from_numpy(stay).to(number.device)] = torch.arange(ways, device=number.device)

    def of(rows: Rows, target: torch.Tensor, inside: bool) -> Rows:
        classes = number[target]
        chosen = ((classes >= 0) == inside).nonzero()[:, 0]
        part = rows.select(chosen)
        return dataclasses.replace(part, target=classes[chosen] if inside else None, ways=ways)

    own = Episode(of(support, support.target, True), of(query, query.target, True))
    return own, of(query, query.target, False)
