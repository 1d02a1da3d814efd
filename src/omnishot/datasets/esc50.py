"""ESC-50: 2,000 environmental sounds of 50 classes, five seconds each."""

from __future__ import annotations

import csv
from pathlib import Path

from omnishot.datasets.archive import damaged
from omnishot.datasets.class_split import split_by_fractions
from omnishot.datasets.files import File, lines, need
from omnishot.datasets.pictures import Pictures
from omnishot.errors import UsageError, choose
from omnishot.table.writing import TableWriter

LIST = "esc50.csv"
NEEDED = ("filename", "fold", "category", "esc10", "src_file")


def read(
    directory: Path, out: Path, *, split: str = "classes", seed: int = 0, test_fold: int = 5, val_fold: int = 4
) -> Path:
    """ESC-50: 2,000 environmental sounds of 50 classes, five seconds each.

    Writes the sounds that `meta/esc50.csv` lists, from the folder `audio`, as a table, one row a sound.

    Columns: audio (the wav as published), category (the target), _fold (1 to 5), _esc10 (whether it is part of ESC-10),
    _source (the recording it was cut from), _file (the published name), split.

    Args:
        split: "classes" shuffles the 50 classes with `seed` into 35 train, 5 val and 10 test; "fold" is the published
            cross-validation, all classes in all parts and no recording in two (to be trained on with `--group _fold`);
            "none" writes no such column, so that Omnishot makes its own.
        seed: of "classes".
        test_fold, val_fold: the folds for test and val, with split=fold; the others are for train.

    Raises:
        DataError: if a file is missing or damaged, or all sounds are missing.
        UsageError: if a fold does not exist, or both are the same.

    Paper: Piczak: ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015
    """
    choose("split", split, ("classes", "fold", "none"))
    table = TableWriter(out)
    file = need(directory, LIST)
    listed = _listed(file)
    parts: dict[str, str] = {}
    if split == "classes":
        parts = split_by_fractions((row["category"] for row in listed), seed, file.where)
    elif split == "fold":
        parts = _folds(sorted({row["fold"] for row in listed}), str(test_fold), str(val_fold))
    with Pictures(table, directory, ("audio",), noun="sound") as sounds:
        for row in listed:
            assigned = {"split": parts[row["category" if split == "classes" else "fold"]]} if parts else {}
            table.row(
                audio=sounds.cell(row["filename"]),
                category=row["category"],
                _fold=int(row["fold"]),
                _esc10=row["esc10"] == "True",
                _source=row["src_file"],
                _file=row["filename"],
                **assigned,
            )
    return table.close()


def _listed(file: File) -> list[dict[str, str]]:
    """The rows of the list.

    Raises:
        DataError: naming the line that does not fit.
    """
    numbered = list(lines(file))
    head, *rows = csv.reader(line for _, line in numbered) if numbered else [[]]
    if lacking := [name for name in NEEDED if name not in head]:
        raise damaged(file.where, f"it has no column {', '.join(lacking)}")
    if not rows or len(rows) != len(numbered) - 1:
        raise damaged(file.where, "it lists no sound, one a line")
    listed = []
    for (number, line), row in zip(numbered[1:], rows, strict=True):
        cells = dict(zip(head, row, strict=False))
        fits = len(row) == len(head) and cells["filename"] and cells["category"] and cells["fold"].isdecimal()
        if not fits or cells["esc10"] not in ("True", "False"):
            raise damaged(f"{file.where}, line {number}", f"{line!r:.80} does not fit {','.join(head)}")
        listed.append(cells)
    return listed


def _folds(folds: list[str], test: str, val: str) -> dict[str, str]:
    """Which part each fold is for."""
    for name, fold in (("test_fold", test), ("val_fold", val)):
        if fold not in folds:
            raise UsageError(f"{name} = {fold}: the folds are {', '.join(folds)}")
    if test == val:
        raise UsageError(f"test_fold and val_fold are both {test}: choose two of the folds {', '.join(folds)}")
    return dict.fromkeys(folds, "train") | {val: "val", test: "test"}
