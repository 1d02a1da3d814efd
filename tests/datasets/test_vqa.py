from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from omnishot.datasets import read
from omnishot.errors import DataError, UsageError

TEN = ["net", "net", "net", "netting", "", "mesh, I think", "net", 'pitcher\'s "net"', "net", "net"]


def questions(subtype, entries):
    rows = [{"image_id": image, "question": text, "question_id": number} for number, image, text in entries]
    return json.dumps({
        "info": {"version": "2.0"}, "task_type": "Open-Ended", "data_type": "mscoco", "license": {},
        "data_subtype": subtype, "questions": rows,
    })  # fmt: skip


def annotations(subtype, given):
    rows = [
        {
            "question_type": "what is this",
            "multiple_choice_answer": "net",
            "answers": [{"answer": a, "answer_confidence": "yes", "answer_id": i + 1} for i, a in enumerate(answers)],
            "image_id": number // 1000,
            "answer_type": "other",
            "question_id": number,
        }
        for number, answers in given.items()
    ]
    return json.dumps({"info": {}, "license": {}, "data_subtype": subtype, "annotations": rows})


FILES = {
    "v2_OpenEnded_mscoco_train2014_questions.json": questions(
        "train2014",
        [
            (458752000, 458752, 'What is this photo taken, "looking" through?'),
            (458752001, 458752, "What position is this man playing?"),
            (262146000, 262146, "Où est-il?"),
        ],
    ),
    "v2_mscoco_train2014_annotations.json": annotations("train2014", {262146000: ["yes"] * 10, 458752000: TEN}),
    "v2_OpenEnded_mscoco_val2014_questions.json": questions("val2014", [(42000, 42, "Is it\u2028on?")]),
    "v2_mscoco_val2014_annotations.json": annotations("val2014", {42000: ["no"] * 10}),
    "v2_OpenEnded_mscoco_test2015_questions.json": questions("test2015", [(1000, 1, "How many?")]),
}
IMAGES = [
    "train2014/COCO_train2014_000000458752.jpg",
    "train2014/COCO_train2014_000000262146.jpg",
    "val2014/COCO_val2014_000000000042.jpg",
    "test2015/COCO_test2015_000000000001.jpg",
]
ZIPS = ["Questions_Train", "Annotations_Train", "Questions_Val", "Annotations_Val", "Questions_Test"]


@pytest.fixture
def published(lay, png):
    return lay(FILES | {name: png(i) for i, name in enumerate(IMAGES)})


def test_one_row_a_question(published, imported, png, tmp_path):
    rows = imported("vqa", published)
    notes = ["_answer", "_question_type", "_answer_type", "_question_id", "_file"]
    assert list(rows[0]) == ["image", "question", "answer", *notes, "split"]
    assert [row["question"] for row in rows] == [
        'What is this photo taken, "looking" through?',
        "What position is this man playing?",
        "Où est-il?",
        "Is it\u2028on?",
        "How many?",
    ]
    assert [row["answer"] for row in rows] == [[a for a in TEN if a], None, ["yes"] * 10, ["no"] * 10, None]
    assert [row["split"] for row in rows] == ["train", "train", "train", "val", "test"]
    assert [(tmp_path / row["image"]).read_bytes() for row in rows] == [png(i) for i in (0, 0, 1, 2, 3)]
    assert [rows[0][note] for note in notes] == ["net", "what is this", "other", 458752000, IMAGES[0].split("/")[1]]
    assert [rows[1][note] for note in notes[:3]] == [None] * 3


def test_questions_about_one_photograph_have_one_file(published, imported, tmp_path):
    rows = imported("vqa", published)
    assert rows[0]["image"] == rows[1]["image"]
    assert len(list((tmp_path / "t_files").iterdir())) == 4


def test_parquet_holds_lists_and_pictures(published, tmp_path, png):
    rows = pq.read_table(read("vqa", published, tmp_path / "t.parquet")).to_pylist()
    assert rows[3]["answer"] == ["no"] * 10
    assert rows[1]["answer"] is None
    assert rows[3]["image"] == png(2)


def test_the_published_zips_are_read_as_they_are(lay, imported, pack, png, published):
    expected = imported("vqa", published)
    zips = {
        f"../zips/v2_{zipped}_mscoco.zip": pack({name: content.encode()})
        for zipped, (name, content) in zip(ZIPS, FILES.items(), strict=True)
    }
    for folder in ("train2014", "val2014", "test2015"):
        inside = {name: png(i) for i, name in enumerate(IMAGES) if name.startswith(folder)}
        zips[f"../zips/{folder}.zip"] = pack(inside)
    assert imported("vqa", lay(zips).parent / "zips") == expected


def test_test_dev_serves_where_test_is_not(published, imported):
    test = published / "v2_OpenEnded_mscoco_test2015_questions.json"
    test.rename(published / "v2_OpenEnded_mscoco_test-dev2015_questions.json")
    assert imported("vqa", published)[-1]["split"] == "test"


def test_one_part_alone(published, imported):
    for name in list(FILES)[:2] + list(FILES)[4:]:
        (published / name).unlink()
    assert [(row["question"], row["split"]) for row in imported("vqa", published)] == [("Is it\u2028on?", "val")]


def test_val_takes_whole_photographs_off_train(published, imported):
    rows = imported("vqa", published, val=1)
    assert [(row["_question_id"], row["split"]) for row in rows] == [
        (458752000, "train"),
        (458752001, "train"),
        (262146000, "val"),
        (42000, "test"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": 2}, "less than the 2 train photographs, got 2"),
        ({"val": -1}, "at least 0"),
        ({"val": 1, "split": "none"}, "val goes with split=published only"),
        ({"limit": 0}, "limit must be at least 1"),
    ],
)
def test_options_that_do_not_fit(published, imported, options, message):
    with pytest.raises(UsageError, match=message):
        imported("vqa", published, **options)


def test_the_limit_is_of_each_split(published, imported):
    assert [row["split"] for row in imported("vqa", published, limit=1)] == ["train", "val", "test"]
    assert len(imported("vqa", published, limit=2, split="none")) == 2


def test_a_missing_photograph_is_reported_once_and_keeps_its_questions(published, imported):
    (published / IMAGES[0]).unlink()
    with pytest.warns(UserWarning, match=r"1 of 4 \(COCO_train2014_000000458752\.jpg\)"):
        rows = imported("vqa", published)
    assert [row["image"] is None for row in rows] == [True, True, False, False, False]


def test_questions_for_training_without_their_annotations(published, tmp_path):
    (published / "v2_mscoco_train2014_annotations.json").unlink()
    with pytest.raises(DataError, match=r"looked for v2_mscoco_train2014_annotations\.json"):
        read("vqa", published, tmp_path / "t.csv")


VAL_QUESTIONS, VAL_ANSWERS = list(FILES)[2:4]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (VAL_ANSWERS, annotations("val2014", {7: []}), "it answers question 7, which .*has not"),
        (VAL_ANSWERS, '{"annotations": [{"question_id": 1}]}', "it lacks 'answers'"),
        (VAL_QUESTIONS, "", "is damaged"),
        (VAL_QUESTIONS, '{"questions": [[]]}', "has another layout"),
        (VAL_QUESTIONS, '{"questions": [{"question_id": 1, "question": 3, "image_id": 4}]}', "has another layout"),
    ],
)
def test_damage_is_named(lay, published, tmp_path, name, content, message):
    lay({name: content})
    with pytest.raises(DataError, match=rf"{name}.* {message}"):
        read("vqa", published, tmp_path / "t.csv")
