import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.errors import UsageError
from omnishot.table.frames import objects
from omnishot.table.reading import read_table
from omnishot.table.table import cell_digest, encode


def test_classes_are_sorted_text_and_a_gap_does_not_rename_them():
    assert read_table([{"label": v, "x": "a b"} for v in (2, 1, 2, 1)]).classes == ("1", "2")
    gaps = read_table([{"label": v, "x": "a b"} for v in (2, 1, 2, 1, None)])
    assert gaps.classes == ("1", "2")
    assert gaps.labels[0].tolist() == [1, 0, 1, 0, -1]
    assert read_table([{"label": v, "x": "a b"} for v in (True, False)]).classes == ("False", "True")
    assert read_table([{"label": v, "x": "a b"} for v in (0.5, 1.5)]).classes == ()


@given(st.lists(st.none() | st.sampled_from(["b", "a", "ç", "10", "9"])))
def test_encode_is_invertible(cells):
    codes, names = encode(objects(cells))
    assert [None if code < 0 else names[code] for code in codes] == cells
    assert list(names) == sorted(set(cells) - {None})


def test_groups_need_a_group_column():
    rows = [{"who": w, "x": i / 3} for i, w in enumerate("bab")]
    assert read_table(rows, group="who").groups[0].tolist() == [1, 0, 1]
    with pytest.raises(UsageError, match="no group column"):
        _ = read_table(rows).groups


def test_selected_rows_keep_their_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("x,label\n" + "".join(f"{i / 2},k{i}\n" for i in range(6)))
    some = read_table(tmp_path / "t.csv").select([4, 1])
    assert some.frame["label"].tolist() == ["k4", "k1"]
    assert [some.row_number(i) for i in range(2)] == [6, 3]
    assert some.classes == ("k1", "k4")
    assert some.select(np.array([False, True])).row_number(0) == 3
    assert read_table([{"a": i} for i in range(5)]).select([3]).row_number(0) == 3


CELLS = {
    "number": [1.5, 2.5, None],
    "text": ["a b", "c d", None],
    "bytes": [b"a", b"b", None],
    "array": [np.zeros((2, 2)), np.ones(2), None],
    "list": [[[0.5]], [[1.5], [2.5]], None],
}


def table_of(**changed):
    return read_table(pd.DataFrame({name: objects(cells) for name, cells in (CELLS | changed).items()}),
                      modality={"bytes": "note"})  # fmt: skip


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("number", [1.5, None, 2.5]),
        ("text", ["a b", "c e", None]),
        ("bytes", [b"a", None, b"b"]),
        ("bytes", [b"a", b"c", None]),
        ("array", [np.zeros((2, 2)), np.array([1.0, 1.5]), None]),
        ("array", [np.zeros((4, 1)), np.ones(2), None]),
        ("array", [np.zeros((2, 2), np.float32), np.ones(2), None]),
        ("list", [[[0.5]], [[1.5, 2.5]], None]),
    ],
)
def test_every_cell_counts_in_the_fingerprint(name, cells):
    assert table_of().fingerprint == table_of().fingerprint
    assert table_of(**{name: cells}).fingerprint != table_of().fingerprint


def test_names_and_order_count_in_the_fingerprint():
    a = read_table([{"a": 1, "b": 2}]).fingerprint
    assert a != read_table([{"b": 1, "a": 2}]).fingerprint
    assert a != read_table([{"a": 1, "c": 2}]).fingerprint
    assert a != read_table([{"a": 1, "b": 2}] * 2).fingerprint


def test_digests_of_kinds_differ():
    digests = {cell_digest(cell) for cell in (b"1", "1", 1, [1], np.array([1]), np.array([[1]]), None)}
    assert len(digests) == 7
    assert {len(digest) for digest in digests} == {16}
