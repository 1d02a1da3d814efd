"""SICK: 9,840 pairs of sentences, how related they are, and whether one entails the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from omnishot.datasets.archive import damaged
from omnishot.datasets.files import File, find, lines, need
from omnishot.datasets.limit import RowLimit
from omnishot.errors import choose
from omnishot.table.writing import TableWriter

WHOLE = "SICK.txt"
PARTS = {"TRAIN": "SICK_train.txt", "TRIAL": "SICK_trial.txt", "TEST": "SICK_test_annotated.txt"}
SPLITS = {"TRAIN": "train", "TRIAL": "val", "TEST": "test"}
RELATIONS = ("entailment_judgment", "entailment_label")  # in the parts, in the whole


def read(
    directory: Path, out: Path, *, split: str = "published", target: str = "relatedness", limit: int | None = None
) -> Path:
    """SICK: 9,840 pairs of sentences, how related they are, and whether one entails the other.

    Writes `SICK.txt`, or if it is missing `SICK_train.txt`, `SICK_trial.txt` and `SICK_test_annotated.txt` (those
    that exist), as a table, one row a pair.

    Columns: sentence_a, sentence_b, relatedness (1 to 5), _entailment (NEUTRAL, ENTAILMENT or CONTRADICTION),
    _pair, split. Train with `--target relatedness`; or import with target entailment and train with
    `--target entailment --objective match`.

    Args:
        split: "published" is that of SemEval 2014, its trial pairs for val; "none" writes no such column.
        target: "relatedness" or "entailment" makes a note of the other judgement (`_entailment` or `_relatedness`), so
            that it is not an input; "both" keeps both as columns.
        limit: keep the first so many pairs of each split.

    Raises:
        DataError: if the files are missing or damaged.

    Paper: Marelli et al.: A SICK cure for the evaluation of compositional distributional semantic models, LREC 2014
    """
    choose("split", split, ("published", "none"))
    choose("target", target, ("both", "relatedness", "entailment"))
    rows = RowLimit(limit)
    need(directory, WHOLE, *PARTS.values())
    names = {name: name if target in ("both", name) else f"_{name}" for name in ("relatedness", "entailment")}
    table = TableWriter(out)
    for part, cells in _pairs(directory):
        assigned = {"split": part} if split == "published" else {}
        if rows.keeps(*assigned.values()):
            table.row(**{names.get(name, name): cell for name, cell in cells.items()}, **assigned)
    return table.close()


def _pairs(directory: Path) -> Iterator[tuple[str, dict[str, str | float | None]]]:
    """Each pair with its part."""
    if file := find(directory, WHOLE):
        yield from _file(file, None)
        return
    for part, name in PARTS.items():
        if file := find(directory, name):
            yield from _file(file, part)


def _file(file: File, part: str | None) -> Iterator[tuple[str, dict[str, str | float | None]]]:
    """The pairs of one file; without `part`, a column of the file names it.

    Raises:
        DataError: naming the line that is no pair.
    """
    (_, header), *rows = list(lines(file)) or [(1, "")]
    names = [name.strip() for name in header.split("\t")]
    relation = next((name for name in RELATIONS if name in names), RELATIONS[0])
    needed = ("pair_ID", "sentence_A", "sentence_B", "relatedness_score", relation, *(() if part else ("SemEval_set",)))
    if lacking := [name for name in needed if name not in names]:
        raise damaged(file.where, f"its first line names no column {', '.join(lacking)}")
    if not rows:
        raise damaged(file.where, "it holds no pair")
    for number, line in rows:
        where, fields = f"{file.where}, line {number}", line.split("\t")
        if len(fields) != len(names):
            raise damaged(where, f"{len(fields)} cells where the header has {len(names)}")
        cell = {name: field.strip() or None for name, field in zip(names, fields, strict=True)}
        name = part or (cell["SemEval_set"] or "").upper()
        if name not in SPLITS:
            raise damaged(where, f"SemEval_set {name!r} is none of {', '.join(SPLITS)}")
        yield (
            SPLITS[name],
            {
                "sentence_a": cell["sentence_A"],
                "sentence_b": cell["sentence_B"],
                "relatedness": _number(cell["relatedness_score"], where),
                "entailment": cell[relation],
                "_pair": cell["pair_ID"],
            },
        )


def _number(text: str | None, where: str) -> float | None:
    if text is None:
        return None
    with suppress(ValueError):
        if math.isfinite(number := float(text)):
            return number
    raise damaged(where, f"relatedness_score {text!r} is no number")
