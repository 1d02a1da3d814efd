import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnishot.errors import DataError
from omnishot.table import textfiles
from omnishot.table.reading import read_table
from omnishot.table.textfiles import MISSING


def write(tmp_path, content: str | bytes, name: str = "t.csv"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def cells(table, name):
    return [None if gap else cell for cell, gap in zip(table.frame[name], table.frame[name].isna(), strict=True)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b,a\n1,2,3\n", "two columns named 'a'"),
        ("a,b\n", "no rows"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n1,2\n3\n", r"line 3: 1 cells where the header has 2"),
        ("a,b\n1,2\n\n3,4,5\n", r"line 4: 3 cells where the header has 2"),
        ('a,b\n"x\ny",2\n3,4,5\n', r"line 4: 3 cells where the header has 2"),
        ('a,b\n1,2\n"x,4\n', r"line 3|after line 2"),
        (b"a,b\n1,2\n\xff,4\n", r"line 3: not UTF-8"),
        (b"a,\xe9\n1,2\n", r"line 1: not UTF-8"),
    ],
)
def test_csv_that_is_no_table(tmp_path, content, reason):
    with pytest.raises(DataError, match=reason) as error:
        read_table(write(tmp_path, content))
    assert "t.csv" in str(error.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"a": 1}\n{"a": 1, "a": 2}\n', "line 2: .*'a' twice"),
        ('{"a": 1}\n\n{"a": \n', "line 3: not a JSON object"),
        ("[1, 2]\n", "line 1: a JSON object is needed"),
        (b'{"a": "\xff"}\n', "line 1: not UTF-8"),
        ("\n", "is empty"),
        ("{}\n", "is empty"),
    ],
)
def test_jsonl_that_is_no_table(tmp_path, content, reason):
    with pytest.raises(DataError, match=reason):
        read_table(write(tmp_path, content, "t.jsonl"))


def test_missing_is_empty_null_and_nan_only(tmp_path):
    content = 'text,number,quoted\nNA,1,x\nNone,,y\nnull,2,\nNULL,NaN,z\n,3,u\nN/A,4,""\n'
    table = read_table(write(tmp_path, content))
    assert cells(table, "text") == ["NA", "None", None, None, None, "N/A"]
    assert cells(table, "number") == [1, None, 2, None, 3, 4]
    assert cells(table, "quoted") == ["x", "y", None, "z", "u", None]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["1", "2"], [1, 2]),
        (["1", ""], [1.0, None]),
        (["1", "2.5", "-3e-2", ".5"], [1, 2.5, -0.03, 0.5]),
        (["007", "012"], ["007", "012"]),
        (["123456789012345678", ""], ["123456789012345678", None]),
        (["123456789012345678", "1"], [123456789012345678, 1]),
        (["True", "False"], [True, False]),
        (["True", ""], ["True", None]),
        (["1", "two"], ["1", "two"]),
        (["inf", "1"], ["inf", "1"]),
    ],
)
def test_columns_are_numbers_only_if_every_cell_is(tmp_path, written, read):
    table = read_table(write(tmp_path, "c,k\n" + "".join(f"{cell},k\n" for cell in written)))
    assert cells(table, "c") == read


def test_lines_are_numbered_as_an_editor_does(tmp_path):
    table = read_table(write(tmp_path, 'a,b\n1,x\n\n2,"y\nz"\n3,u'))
    assert [table.row_number(i) for i in range(3)] == [2, 4, 6]
    table = read_table(write(tmp_path, "\ufeffa,b\r\n1,x\r\n2,y\r\n"))
    assert table.frame.columns.tolist() == ["a", "b"]
    assert [table.row_number(i) for i in range(2)] == [2, 3]
    table = read_table(write(tmp_path, '{"a": 1}\n\n{"b": "x"}\n', "t.jsonl"))
    assert [table.row_number(i) for i in range(2)] == [1, 3]
    assert cells(table, "a") == [1, None]
    assert cells(table, "b") == [None, "x"]


def test_an_index_column_without_a_name_is_a_note(tmp_path):
    table = read_table(write(tmp_path, ",a\n0,x\n1,y\n"))
    assert table.schema.column("_column1").role == "note"


def test_a_long_cell_leaves_the_csv_module_as_it_was(tmp_path):
    before = csv.field_size_limit()
    long = "word " * 60_000
    table = read_table(write(tmp_path, f'a,b\n"{long}\n",1\n\n"x",2\n'))
    assert len(table.frame["a"][0]) == len(long) + 1
    assert table.row_number(1) == 5
    assert csv.field_size_limit() == before


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(max_examples=40)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8), st.sampled_from(["csv", "tsv"]))
def test_any_text_survives(tmp_path_factory, rows, kind):
    path = tmp_path_factory.mktemp("any") / f"t.{kind}"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="," if kind == "csv" else "\t", quoting=csv.QUOTE_ALL)
        writer.writerows([("a", "b", "c"), *((f"x{a}", f"x{b}", "k") for a, b in rows)])
    table = read_table(path)
    assert table.frame["a"].tolist() == [f"x{a}" for a, _ in rows]
    assert table.frame["b"].tolist() == [f"x{b}" for _, b in rows]
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter="," if kind == "csv" else "\t")
        ends = [reader.line_num for _ in reader]
    assert [table.row_number(i) for i in range(len(rows))] == [end + 1 for end in ends[:-1]]


@settings(max_examples=40)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.none() | TEXT | st.integers(-9, 9)), min_size=1, max_size=6))
def test_any_json_survives(tmp_path_factory, rows):
    rows[0]["k"] = "k"
    path = tmp_path_factory.mktemp("any") / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = read_table(path)
    for name in {name for row in rows for name in row}:
        expected = [row.get(name) for row in rows]
        expected = [None if cell == "" else cell for cell in expected]
        if len({type(cell) for cell in expected} - {type(None)}) > 1:
            expected = [None if cell is None else str(cell) for cell in expected]
        assert cells(table, name) == expected


def test_the_words_for_missing():
    assert set(MISSING) == {"", "null", "NULL", "NaN", "nan"}


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_lines_are_counted_across_blocks(monkeypatch, block):
    monkeypatch.setattr(textfiles, "BLOCK", block)
    content = b"a\r\nb\nc\rd\r\n\r\n\n"
    assert sum(textfiles._line_ends(content, start) for start in range(0, len(content), block)) == 6
