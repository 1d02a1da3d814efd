"""Train, validation and test parts that share no class (or no group), read from the table or made."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from omnishot.core import seeds
from omnishot.errors import DataError, UsageError
from omnishot.table.frames import is_text
from omnishot.table.schema import MEDIA
from omnishot.table.table import Table, encode
from omnishot.table.targets import OF_CLASSES, OF_ROWS

PARTS = ("train", "val", "test")
SPELLINGS = {"validation": "val", "valid": "val", "dev": "val"} | {part: part for part in PARTS}
#: Classes that a part needs to hold one task; groups, each of which is a task.
LEAST_CLASSES, LEAST_GROUPS = 2, 1


def given(table: Table) -> np.ndarray | None:
    """The part of each row by the split column (text `[n]`), or None if the table has none.

    Raises:
        DataError: if a cell is missing or is none of train, val (validation, valid, dev) and test.
    """
    if table.schema.split is None:
        return None
    codes, names = encode(table.frame[table.schema.split])
    where = f"{table.name}, column {table.schema.split!r}"
    unknown = [name for name in names if name.strip().lower() not in SPELLINGS]
    if unknown:
        raise DataError(
            f"{where}: {', '.join(map(repr, unknown[:5]))} is none of {', '.join(PARTS)}: "
            "correct it, or if the column means something else rename it or say split=None"
        )
    if (codes < 0).any():
        row = table.row_number(int(np.argmax(codes < 0)))
        raise DataError(f"{where}, row {row}: no value: every row must say {', '.join(PARTS)}")
    return np.array([SPELLINGS[name.strip().lower()] for name in names])[codes]


def assign(
    table: Table,
    seed: int,
    fractions: Sequence[float] = (0.64, 0.16, 0.20),
    trained_on: Collection[str] = (),
) -> np.ndarray:
    """The part of each row, "train", "val" or "test" as text `[n]`; "" for a row without a class (or group).

    No two parts share a group, or without a group column a class. A split column is used as it is; parts that it
    does not name stay empty. Otherwise classes or groups, ordered by name, are shuffled by `seed` and divided: the part
    of a row does not depend on the order of rows. With 4 or 5 classes, or 2 groups, there is no validation part.

    Args:
        fractions: of classes or groups, in the order train, val, test; 0 leaves a part empty.
        trained_on: names of classes or groups that something in use was trained on: they are in the training part. All
            parts have the sizes that they have without, unless those names are more than the training part's size.

    Raises:
        DataError: if the parts of the split column overlap, if it puts one of `trained_on` into val or test, or if
            there are too few classes or groups.
        UsageError: if the table has no target, or its objective is to regress and it has no group column.
    """
    parts = given(table)
    codes, names, kind = _tasks(table, needed=parts is None)
    if parts is not None:
        _check_disjoint(table, parts, codes, names, kind)
        _check_not_trained_on(table, parts, codes, names, trained_on)
        return parts
    least = LEAST_CLASSES if kind == "class" else LEAST_GROUPS
    sizes = _sizes(len(names), fractions, least)
    if sizes is None:
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        listed = ", ".join(f"{name} ({count} rows)" for name, count in zip(names, counts, strict=True)) or "none"
        need = "4 classes (2 to train on, 2 to test on)" if kind == "class" else f"2 {kind}s"
        raise DataError(
            f"{table.name}: {len(names)} distinct {table.schema.group or table.schema.target}: {listed}; "
            f"parts that share no {kind} need at least {need}: add rows of others, or give a split column of your own"
        )
    order = seeds.split(seed).permutation(len(names))
    known = np.isin(names, list(trained_on))[order]
    order = np.concatenate([order[known], order[~known]])
    if known.sum() > sizes[0]:
        sizes = _sizes_of_rest(table, kind, int(known.sum()), int((~known).sum()), fractions, least)
    part = np.empty(len(names) + 1, dtype="<U5")
    part[order], part[-1] = np.repeat(PARTS, sizes), ""
    return part[codes]


def _tasks(table: Table, needed: bool) -> tuple[np.ndarray, tuple[str, ...], str]:
    """The classes or groups that no two parts may share: codes `[n]` (-1 where missing), names, and which they are."""
    if table.schema.group is not None:
        return *table.groups, "group"
    if table.schema.tasks_of == OF_CLASSES:
        return *table.labels, "class"
    if table.schema.tasks_of == OF_ROWS:
        return *_by_file(table), "picture or other input"
    if needed:
        raise UsageError(
            f"{table.name}: tasks that predict a number need a group column: say which (group=, --group COLUMN); "
            "pairs of inputs that are compared do not (objective='match')"
        )
    return np.full(len(table), -1), (), "group"


def _by_file(table: Table) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes and names as of `_tasks`: rows with the same file in their first media column are in the same part."""
    for column in table.schema.columns:
        if column.modality in MEDIA and is_text(table.frame[column.name]):
            return encode(table.frame[column.name])
    return np.arange(len(table)), tuple(map(str, range(len(table))))


def _check_disjoint(table: Table, parts: np.ndarray, codes: np.ndarray, names: Sequence[str], kind: str) -> None:
    held = np.zeros((len(PARTS), len(names)), dtype=bool)
    for i, part in enumerate(PARTS):
        held[i, codes[(parts == part) & (codes >= 0)]] = True
    shared = np.flatnonzero(held.sum(axis=0) > 1)
    if len(shared):
        first = ", ".join(
            f"{names[j]} ({' and '.join(p for p, has in zip(PARTS, held[:, j], strict=True) if has)})"
            for j in shared[:5]
        )
        more = f" and {len(shared) - 5} more" if len(shared) > 5 else ""
        raise DataError(
            f"{table.name}, column {table.schema.split!r}: parts may not share a {kind}, but share {first}{more}"
            f": put all rows of a {kind} into one part, or say split=None to have parts made"
            + ("" if kind == "group" else ", or say which column is the group (group=) if each group is a task")
        )


def _check_not_trained_on(
    table: Table, parts: np.ndarray, codes: np.ndarray, names: Sequence[str], trained_on: Collection[str]
) -> None:
    """Raises DataError if the split column puts a class or group that something was trained on into val or test."""
    held_out = {names[code] for code in np.unique(codes[np.isin(parts, PARTS[1:]) & (codes >= 0)])}
    if shared := sorted(held_out & set(trained_on)):
        raise DataError(
            f"{table.name}, column {table.schema.split!r}: a frozen encoder was trained on {first_of(shared)}, so val "
            "and test may not hold them: put their rows into train, say split=None to have parts made that agree, or "
            "freeze an encoder of a run that was trained with this split column"
        )


def first_of(names: Sequence[str], shown: int = 5) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _sizes_of_rest(table: Table, kind: str, known: int, rest: int, fractions: Sequence[float], least: int) -> list[int]:
    """How many go to train, val and test where the `known`, all of train, leave `rest` of them for val and test.

    Raises:
        DataError: if too few are left for a test part.
    """
    _, val, test = fractions
    if test > 0 and rest < least:
        raise DataError(
            f"{table.name}: a frozen encoder was trained on {known} of the {known + rest} distinct "
            f"{table.schema.group or table.schema.target}, so that {rest} remain for the part 'test', which needs "
            f"{least}: add rows of others, or freeze an encoder of a run that was trained on fewer"
        )
    if not test or not val:
        return [known, rest, 0] if val else [known, 0, rest]
    own = min(rest, max(least, round(rest * test / (val + test))))
    return [known, rest - own, own] if rest - own >= least else [known, 0, rest]


def _sizes(count: int, fractions: Sequence[float], least: int) -> list[int] | None:
    """How many go to train, val and test, each at least `least` (val: or none); None if there are too few."""
    if len(fractions) != len(PARTS) or min(fractions) < 0 or not fractions[0] or abs(sum(fractions) - 1) > 1e-6:
        raise UsageError(f"fractions must be three fractions (train, val, test) that sum to 1, not {tuple(fractions)}")
    needed = [fraction > 0 for fraction in fractions]
    if count < least * sum(needed):
        needed[1] = False
    if count < least * sum(needed):
        return None
    val, test = (
        max(least, round(count * f)) if wants else 0 for f, wants in zip(fractions[1:], needed[1:], strict=True)
    )
    while count - val - test < least:  # rounding up has taken too much
        val, test = (val - 1, test) if val > test else (val, test - 1)
    return [count - val - test, val, test]
