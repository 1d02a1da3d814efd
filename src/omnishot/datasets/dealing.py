"""Dealing the classes of a data set to train, val and test so that no two of them share one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from omnishot.errors import UsageError


def deal(classes: Iterable[str], sizes: Mapping[str, int], seed: int) -> dict[str, str]:
    """Shuffle the distinct `classes` and deal them to the splits named in `sizes`; returns class -> split.

    Raises:
        ValueError: if the sizes do not add up to the number of distinct classes.
        UsageError: for a negative seed.
    """
    if seed < 0:
        raise UsageError(f"seed must be 0 or more, not {seed}")
    ordered = sorted(set(classes))
    splits = [split for split, size in sizes.items() for _ in range(size)]
    shuffled = np.random.default_rng(seed).permutation(len(ordered))
    return {ordered[index]: split for index, split in zip(shuffled, splits, strict=True)}
