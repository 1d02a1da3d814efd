from __future__ import annotations

import csv

import pytest

from omnishot.datasets import read
from omnishot.errors import DataError, UsageError

HEADER = [
    "pair_ID", "sentence_A", "sentence_B", "entailment_label", "relatedness_score", "entailment_AB", "entailment_BA",
    "sentence_A_original", "sentence_B_original", "sentence_A_dataset", "sentence_B_dataset", "SemEval_set",
]  # fmt: skip
PAIRS = [
    ("1", 'A group, of "kids" is playing', "A group of boys is playing", "NEUTRAL", "4.5", "TRAIN"),
    ("2", "The young boys' game", "Nobody is \u2028there", "ENTAILMENT", "5", "TRAIN"),
    ("4", "A man is smiling", "There is no man smiling", "CONTRADICTION", "3.35", "TRIAL"),
    ("9", '"Hello"', "", "NEUTRAL", "1.0", "TEST"),
]
SPLITS = {"TRAIN": "train", "TRIAL": "val", "TEST": "test"}
ROWS = [
    {"sentence_a": a, "sentence_b": b or None, "relatedness": float(score), "_entailment": relation, "_pair": pair,
     "split": SPLITS[part]}
    for pair, a, b, relation, score, part in PAIRS
]  # fmt: skip


def whole(pairs=PAIRS):
    rows = [
        [pair, a, b, relation, score, "A_neutral_B", "B_neutral_A", a, b, "FLICKR", "FLICKR", part]
        for pair, a, b, relation, score, part in pairs
    ]
    return "".join("\t".join(row) + "\n" for row in [HEADER, *rows])


def part(name):
    header = ["pair_ID", "sentence_A", "sentence_B", "relatedness_score", "entailment_judgment"]
    rows = [[pair, a, b, score, relation] for pair, a, b, relation, score, part in PAIRS if part == name]
    return "".join("\t".join(row) + "\r\n" for row in [header, *rows])


PARTS = {
    "SICK_train.txt": part("TRAIN"),
    "SICK_trial.txt": part("TRIAL"),
    "SICK_test_annotated.txt": part("TEST"),
}


@pytest.mark.parametrize(
    "files",
    [
        {"SICK.txt": whole()},
        {"SICK/SICK.txt": "\ufeff" + whole().replace("\n", "\r\n"), "SICK_train.txt": "not read"},
        PARTS,
    ],
    ids=["whole", "windows", "parts"],
)
def test_the_whole_and_the_parts_give_the_same_rows(lay, imported, files):
    assert imported("sick", lay(files)) == ROWS


def test_the_parts_in_their_zips(lay, imported, pack):
    zips = {f"sick_{i}.zip": pack({name: text.encode(), "x": b""}) for i, (name, text) in enumerate(PARTS.items())}
    assert imported("sick", lay(zips)) == ROWS


def test_one_part_alone(lay, imported):
    assert imported("sick", lay({"SICK_trial.txt": PARTS["SICK_trial.txt"]})) == ROWS[2:3]


def test_csv_keeps_quotes_and_commas(lay, tmp_path):
    out = read("sick", lay({"SICK.txt": whole()}), tmp_path / "t.csv")
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["sentence_a"] for row in rows] == [row["sentence_a"] for row in ROWS]
    assert [float(row["relatedness"]) for row in rows] == [4.5, 5.0, 3.35, 1.0]


def test_options(lay, imported):
    directory = lay({"SICK.txt": whole()})
    assert list(imported("sick", directory, split="none")[0]) == list(ROWS[0])[:-1]
    assert [row["_pair"] for row in imported("sick", directory, limit=1)] == ["1", "4", "9"]
    assert {"relatedness", "entailment"} < set(imported("sick", directory, target="both")[0])
    assert {"entailment", "_relatedness"} < set(imported("sick", directory, target="entailment")[0])
    with pytest.raises(UsageError, match="unknown target 'relatednes': did you mean 'relatedness'"):
        imported("sick", directory, target="relatednes")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("SICK.txt", "", "names no column pair_ID, sentence_A"),
        ("SICK.txt", whole([]), "it holds no pair"),
        ("SICK.txt", PARTS["SICK_train.txt"], "names no column SemEval_set"),
        ("SICK.txt", whole([*PAIRS, ("7", "a", "b", "NEUTRAL", "high", "TEST")]), "line 6 .*'high' is no number"),
        ("SICK.txt", whole([("7", "a", "b", "NEUTRAL", "nan", "TEST")]), "line 2 .*'nan' is no number"),
        ("SICK.txt", whole([("7", "a", "b", "NEUTRAL", "1", "DEV")]), "line 2 .*'DEV' is none of TRAIN, TRIAL, TEST"),
        ("SICK_trial.txt", PARTS["SICK_trial.txt"] + "5\ta\tb\n", "line 3 is damaged: 3 cells where the header has 5"),
    ],
)
def test_damage_names_the_line(lay, tmp_path, name, content, message):
    with pytest.raises(DataError, match=rf"{name}.*{message}"):
        read("sick", lay({name: content}), tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()
