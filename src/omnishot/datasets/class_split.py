"""Dealing the classes of a data set to train, val and test so that no two of them share one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from omnishot.errors import DataError, UsageError

VAL_SHARE, TEST_SHARE = 0.1, 0.2
LEAST = 2  # classes that can be told apart


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


def deal_shares(classes: Iterable[str], seed: int, where: object) -> dict[str, str]:
    """As `deal`, a tenth of the classes to val, a fifth to test, two at least to each; the others to train.

    Raises:
        DataError: if there are fewer than 6 classes in `where`.
    """
    count = len(names := set(classes))
    if count < 3 * LEAST:
        raise DataError(
            f"{where} holds {count} classes ({', '.join(sorted(names))}): {3 * LEAST} are needed for train, val and "
            f"test to have {LEAST} each; use split=none"
        )
    val, test = (max(LEAST, round(share * count)) for share in (VAL_SHARE, TEST_SHARE))
    return deal(names, {"train": count - val - test, "val": val, "test": test}, seed)
