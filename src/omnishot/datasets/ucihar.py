"""UCI HAR: what 30 people did with a smartphone at their waist, as its motion sensors recorded it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd

from omnishot.datasets.archive import damaged
from omnishot.datasets.files import File, fields, need
from omnishot.errors import DataError, UsageError, choose
from omnishot.table.encoding import encode_npy
from omnishot.table.writing import TableWriter

FOLDER, LABELS = "UCI HAR Dataset", "activity_labels.txt"
#: The channels of a series, in order: gravity included, without it, and turning.
SIGNALS = tuple(f"{kind}_{axis}" for kind in ("total_acc", "body_acc", "body_gyro") for axis in "xyz")
STEPS = 128  # at 50 hertz


def read(directory: Path, out: Path, *, split: str = "published", val: int = 4) -> Path:
    """UCI HAR: six activities of 30 people by the accelerometer and gyroscope of a smartphone, 10,299 windows.

    Writes the raw signals of `train` and `test` (not the 561 features) as a table, one row a window of 2.56 seconds.

    Columns: series (`[128, 9]` at 50 hertz: total_acc x y z in g, body_acc x y z in g, body_gyro x y z in radians a
    second), activity (the target: WALKING …), subject (1 to 30; for `--group subject`), _window (its number in the
    published file), split.

    Args:
        split: "published" keeps the 9 subjects of `test` for test, and the last `val` subjects of `train` for val;
            "none" writes no such column, so that Omnishot makes its own.
        val: how many subjects, 0 or more.

    Raises:
        DataError: if a file is missing or damaged, or files disagree on how many windows there are.
        UsageError: if `val` leaves nobody to train on.

    Paper: Anguita et al.: A Public Domain Dataset for Human Activity Recognition Using Smartphones, ESANN 2013
    """
    choose("split", split, ("published", "none"))
    names = _activities(directory)
    parts = {part: _part(directory, part, names) for part in ("train", "test")}
    people = sorted({int(subject) for subject in parts["train"][1]})
    if not 0 <= val < len(people):
        raise UsageError(
            f"val = {val}: give how many of the {len(people)} subjects of train, at least 0, one fewer at most"
        )
    if both := {*people} & {int(subject) for subject in parts["test"][1]}:
        raise damaged(directory, f"subject {min(both)} is in train and in test")
    kept = people[len(people) - val :]
    table = TableWriter(out)
    for part, (windows, subjects, activities) in parts.items():
        for i, (window, subject, activity) in enumerate(zip(windows, subjects.tolist(), activities, strict=True)):
            cell = table.media(f"{part}/{i + 1:05d}.npy", encode_npy(window))
            assigned = {"split": "val" if part == "train" and subject in kept else part} if split != "none" else {}
            table.row(series=cell, activity=activity, subject=subject, _window=i + 1, **assigned)
    return table.close()


def _activities(directory: Path) -> dict[int, str]:
    """The name of each code."""
    file = need(directory, LABELS)
    names = {}
    for row in fields(file, 2):
        if not row[0].isdecimal():
            raise damaged(file.where, f"{' '.join(row)!r} is no number and name")
        names[int(row[0])] = " ".join(row[1:])
    return names


def _part(directory: Path, part: str, names: dict[int, str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Windows float32 `[n, 128, 9]`, subjects int `[n]` and activities."""
    subjects = _numbers(_need(directory, part, f"subject_{part}.txt"), 1)[:, 0].astype(int)
    codes = _numbers(_need(directory, part, f"y_{part}.txt"), 1)[:, 0].astype(int)
    if unknown := {*codes.tolist()} - names.keys():
        raise DataError(f"{directory}: y_{part}.txt has the code {min(unknown)}, which {LABELS} does not name")
    windows = np.empty((len(codes), STEPS, len(SIGNALS)), np.float32)
    for channel, signal in enumerate(SIGNALS):
        values = _numbers(file := _need(directory, part, f"{signal}_{part}.txt"), STEPS)
        if not len(values) == len(codes) == len(subjects):
            raise damaged(file.where, f"{len(values)} windows, but {len(codes)} activities of {len(subjects)} subjects")
        windows[:, :, channel] = values
    return windows, subjects, [names[code] for code in codes.tolist()]


def _need(directory: Path, part: str, name: str) -> File:
    """A file of a part, wherever the parts lie: the signals are a folder deeper than is searched from the top."""
    places = (directory / part, directory / FOLDER / part)
    return need(next((place for place in places if place.is_dir()), directory), name)


def _numbers(file: File, columns: int) -> np.ndarray:
    """The numbers of a text file, float32 `[lines, columns]`.

    Raises:
        DataError: if there are others, or other than `columns` in a line.
    """
    try:
        values = pd.read_csv(io.BytesIO(file.data), sep=r"\s+", header=None, dtype=np.float32).to_numpy()
    except (ValueError, UnicodeDecodeError) as error:  # pandas' own errors are ValueErrors
        raise damaged(file.where, error) from error
    if values.shape[1] != columns or not np.isfinite(values).all():
        bad = np.flatnonzero(~np.isfinite(values).all(1))
        where = f"{file.where}, line {bad[0] + 1}" if len(bad) else file.where
        raise damaged(where, f"not {columns} numbers a line")
    return values
