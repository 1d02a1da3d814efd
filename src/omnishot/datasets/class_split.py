"""Divides the classes of a data set among train, val and test, each class in one part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from omnishot.errors import DataError, UsageError

VAL_FRACTION, TEST_FRACTION = 0.1, 0.2
LEAST = 2  # classes of a part: fewer give no classification task


def split_classes(classes: Iterable[str], sizes: Mapping[str, int], seed: int) -> dict[str, str]:
    """Shuffle the distinct `classes` and assign them to the splits of `sizes`; returns class -> split.

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


def split_by_fractions(classes: Iterable[str], seed: int, where: object) -> dict[str, str]:
    """As `split_classes`: a tenth of the classes to val, a fifth to test, at least two to each, the rest to train.

    Raises:
        DataError: if there are fewer than 6 classes in `where`.
    """
    count = len(names := set(classes))
    if count < 3 * LEAST:
        raise DataError(
            f"{where} holds {count} classes ({', '.join(sorted(names))}): {3 * LEAST} are needed for train, val and "
            f"test to have {LEAST} each; use split=none"
        )
    val, test = (max(LEAST, round(fraction * count)) for fraction in (VAL_FRACTION, TEST_FRACTION))
    return split_classes(names, {"train": count - val - test, "val": val, "test": test}, seed)
