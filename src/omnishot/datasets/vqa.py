"""VQA v2: 1.1 million questions about photographs of MS-COCO, ten people's answers to each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omnishot.datasets.archive import damaged
from omnishot.datasets.captioned import sentences
from omnishot.datasets.coco import aliases
from omnishot.datasets.files import find, laid_out, need, parse_json
from omnishot.datasets.limit import RowLimit
from omnishot.datasets.pictures import Pictures
from omnishot.errors import DataError, UsageError, choose
from omnishot.table.writing import TableWriter

FOLDERS = ("train2014", "val2014", "test2015", "train2017", "val2017", "test2017")
#: The questions of each part, the first that is there; test-dev is a part of test.
QUESTIONS = {
    "train": ("v2_OpenEnded_mscoco_train2014_questions.json",),
    "val": ("v2_OpenEnded_mscoco_val2014_questions.json",),
    "test": ("v2_OpenEnded_mscoco_test2015_questions.json", "v2_OpenEnded_mscoco_test-dev2015_questions.json"),
}
ANSWERS = {"train": "v2_mscoco_train2014_annotations.json", "val": "v2_mscoco_val2014_annotations.json"}
PREFIXES = {"train": "COCO_train2014_", "val": "COCO_val2014_", "test": "COCO_test2015_"}


def read(directory: Path, out: Path, *, split: str = "published", val: int = 0, limit: int | None = None) -> Path:
    """VQA v2: 1.1 million questions about photographs of MS-COCO, ten people's answers to each.

    Writes the questions and annotations and the photographs of the folders `train2014`, `val2014` and `test2015` as a
    table, one row a question. Questions without answers (all of test) are rows whose answer is missing.

    Columns: image, question, answer (list of ten), _answer (the most frequent one), _question_type, _answer_type,
    _question_id, _file (of the photograph), split.

    Args:
        split: "published" is train, val and test, of which test has no answers; "none" writes no such column.
        val: how many of the last train photographs, with their questions, become val while the published val
            becomes test and the published test is left out; with 0 all is as published.
        limit: keep the first so many questions of each split.

    Raises:
        DataError: if the files are missing or damaged, or all photographs are missing.
        UsageError: if an option does not fit.

    Paper: Goyal et al.: Making the V in VQA Matter, CVPR 2017
    """
    choose("split", split, ("published", "none"))
    kept = RowLimit(limit)
    if val and split != "published":
        raise UsageError(f"val goes with split=published only, not with split={split}")
    need(directory, *(name for names in QUESTIONS.values() for name in names))
    parts = {part: list(_rows(directory, part)) for part in QUESTIONS}
    if val:
        parts = _hold_out(parts, val)
    table = TableWriter(out)
    with Pictures(table, directory, FOLDERS) as pictures:
        for part, rows in parts.items():
            for row in rows:
                assigned = {"split": part} if split == "published" else {}
                if kept.keeps(*assigned.values()):
                    table.row(image=pictures.cell(*aliases(row["_file"])), **row, **assigned)
    if not kept.counts:
        raise DataError(f"{directory}: the files hold no question")
    return table.close()


def _rows(directory: Path, part: str) -> Iterator[dict[str, Any]]:
    """The questions of a part in the order of their file, answered where there is an annotation."""
    file = find(directory, *QUESTIONS[part])
    if file is None:
        return
    answers = _annotations(directory, part)
    with laid_out(file.where):
        questions = {
            q["question_id"]: (q["question"].strip(), int(q["image_id"])) for q in parse_json(file)["questions"]
        }
    for number, (question, image) in questions.items():
        yield {
            "question": question or None,
            **answers.pop(number, {"answer": None, "_answer": None, "_question_type": None, "_answer_type": None}),
            "_question_id": number,
            "_file": f"{PREFIXES[part]}{image:012d}.jpg",
        }
    if answers:
        raise damaged(ANSWERS[part], f"it answers question {next(iter(answers))}, which {file.where} has not")


def _annotations(directory: Path, part: str) -> dict[int, dict[str, Any]]:
    """What the annotations say of each question; nothing for test, which has none."""
    if part not in ANSWERS:
        return {}
    file = need(directory, ANSWERS[part])
    with laid_out(file.where):
        return {annotation["question_id"]: _cells(annotation) for annotation in parse_json(file)["annotations"]}


def _cells(annotation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "answer": sentences(answer["answer"] for answer in annotation["answers"]),
        "_answer": annotation["multiple_choice_answer"],
        "_question_type": annotation["question_type"],
        "_answer_type": annotation["answer_type"],
    }


def _hold_out(parts: Mapping[str, list[dict[str, Any]]], val: int) -> dict[str, list[dict[str, Any]]]:
    """Make val of the questions about the last `val` train photographs, and test of the published val."""
    pictures = list(dict.fromkeys(row["_file"] for row in parts["train"]))
    if not 0 < val < len(pictures):
        raise UsageError(f"val must be at least 0 and less than the {len(pictures)} train photographs, got {val}")
    held = set(pictures[-val:])
    return {
        "train": [row for row in parts["train"] if row["_file"] not in held],
        "val": [row for row in parts["train"] if row["_file"] in held],
        "test": parts["val"],
    }
