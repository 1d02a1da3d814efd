"""Dealing the classes of a data set to train, val and test so that no two of them share one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np


def deal(classes: Iterable[str], sizes: Mapping[str, int], seed: int) -> dict[str, str]:
    """Shuffle the distinct `classes` and deal them to the splits named in `sizes`; returns class -> split.

    Raises:
        ValueError: if the sizes do not add up to the number of distinct classes.
    """
    ordered = sorted(set(classes))
    splits = [split for split, size in sizes.items() for _ in range(size)]
    shuffled = np.random.default_rng(seed).permutation(len(ordered))
    return {ordered[index]: split for index, split in zip(shuffled, splits, strict=True)}
