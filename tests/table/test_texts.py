"""Cells of one text or a list of texts, in every format of a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.table.checking import check
from omnishot.table.reading import read_table
from omnishot.table.texts import as_lists, listed, text_problem, texts_of

HARD = [
    ['a dog, a cat and "two" birds', "it's here"],
    ["Straße in Zürich – 東京", "emoji 🐦 too"],
    ["one line\r\nand another", "tab\there"],
    ["only one"],
]


def written(folder: Path, suffix: str, cells: list[Any]) -> Path:
    """A table of a number and a caption, the cells written as that format holds them."""
    path, rows = folder / f"t{suffix}", [{"x": i + 0.5, "caption": cell} for i, cell in enumerate(cells)]
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    elif suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)  # comes back as numpy arrays
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\r\n")
            writer.writerow(["x", "caption"])
            for row in rows:
                cell = row["caption"]
                text = "" if cell is None else cell
                writer.writerow([row["x"], json.dumps(cell, ensure_ascii=False) if isinstance(cell, list) else text])
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_lists_come_back_from_every_format(tmp_path, suffix):
    """Quotes, commas, line ends and other alphabets included."""
    table = read_table(written(tmp_path, suffix, HARD), target="caption")
    assert table.texts == HARD
    assert table.schema.objective == "caption"
    assert table.schema.inputs().keys() == {"tabular"}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_lists_and_single_texts_may_be_mixed(tmp_path, suffix):
    cells = [["a dog runs", "it runs away"], "a cat sits here", None, ["two birds", "  ", ""], ["a fish swims"]]
    table = read_table(written(tmp_path, suffix, cells), target="caption", objective="caption")
    assert table.texts == [cells[0], ["a cat sits here"], [], ["two birds"], ["a fish swims"]]
    assert [cell.row for cell in check(table, {})] == [2]


def test_one_list_among_many_texts_is_a_list_all_the_same(tmp_path):
    cells = ["a cat sits", "a dog runs", "a bird sings", ["a fish swims", "it swims"]]
    table = read_table(written(tmp_path, ".csv", cells), target="caption", objective="caption")
    assert table.texts == [["a cat sits"], ["a dog runs"], ["a bird sings"], ["a fish swims", "it swims"]]


def test_what_is_no_text_is_named_by_row_and_column(tmp_path):
    cells = ['["a dog", "runs', "['python', 'repr']", "   ", '["", " "]', '["right", "so"]', '["a"]', '["b"]', '["c"]']
    table = read_table(written(tmp_path, ".csv", cells), target="caption", objective="caption")
    bad = {cell.number: cell.reason for cell in check(table, {})}
    assert bad.keys() == {2, 3, 4, 5}
    assert all("write it as JSON" in bad[row] for row in (2, 3))
    assert all("missing" in bad[row] or "no text" in bad[row] for row in (4, 5))


@pytest.mark.parametrize(
    "cells",
    [
        ["plain", "texts"],
        ["[1, 2]", "[3, 4]"],
        [[1, 2], [3.0, None]],
        ['["a", 1]', '["b", 2]'],
        ['{"a": 1}', "[not json]"],
        [np.array([1.0, 2.0]), np.array([3.0])],
        [b"bytes", ["a text"]],
        [np.array([["a", "b"]])],
        [None, float("nan"), pd.NA],
        [],
        ["[" * 10_000],
    ],
    ids=str,
)
def test_what_is_no_column_of_lists(cells):
    assert as_lists(cells) is None


def test_lists_of_texts():
    assert as_lists([["a", None, " ", "b"], ("c",), np.array(["d", "e"], dtype=object)]) == [
        ["a", "b"],
        ["c"],
        ["d", "e"],
    ]
    assert as_lists(["[]", '["a"]', float("nan"), pd.NA, ""]) == [None, ["a"], None, None, None]
    assert as_lists(["[]", "[]"]) == [None, None]  # every row lacks its texts
    assert listed(' ["a", "b"]') == ["a", "b"]
    assert all(type(text) is str for text in listed(np.array(["a", "b"])))


def test_texts_of_other_cells():
    """A number is its digits; one missing cell makes floats of a column of whole numbers."""
    assert [texts_of(cell) for cell in (3, 3.0, 2.5, True, "yes", None, pd.NA, "", "  ")] == [
        ["3"], ["3"], ["2.5"], ["True"], ["yes"], [], [], [], [],
    ]  # fmt: skip
    assert text_problem("a text") is text_problem(3.0) is text_problem(["a"]) is None
    assert text_problem("[laughter] well") is None  # a transcript may begin so
    for cell in (b"bytes", np.zeros(3), [1, 2], {"a": 1}):
        assert "a text or a list of texts is needed" in text_problem(cell)


@given(st.lists(st.lists(st.text().filter(str.strip), min_size=1, max_size=3), min_size=1, max_size=4))
def test_whatever_json_writes_comes_back(rows):
    assert as_lists([json.dumps(row, ensure_ascii=False) for row in rows]) == rows
    assert [texts_of(json.dumps(row)) for row in rows] == rows
