import datetime
import decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from omnishot.errors import DataError
from omnishot.table.frames import clean, is_text, objects


def cleaned(column) -> pd.Series:
    return clean(pd.DataFrame({"c": column}), "t")["c"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pd.array([1, 2], dtype="Int64"), [1, 2]),
        (pd.array([1.5, 2.0], dtype="Float32"), [1.5, 2.0]),
        (pd.array([True, False], dtype="boolean"), [True, False]),
        (objects([decimal.Decimal("1.5"), decimal.Decimal(2)]), [1.5, 2.0]),
        (objects([1, 2.5]), [1, 2.5]),
        (objects([np.int64(1), 2]), [1, 2]),
        (objects([1, "a"]), ["1", "a"]),
        (objects([True, "a"]), ["True", "a"]),
        (pd.Categorical(["a", "b"]), ["a", "b"]),
        (pd.Categorical([3, 5]), [3, 5]),
        (pd.to_datetime(["2024-01-02", "2024-01-03"]), ["2024-01-02", "2024-01-03"]),
        (objects([datetime.date(2024, 1, 2), datetime.date(2024, 1, 3)]), None),
        (objects([Path("a/b"), "c"]), ["a/b", "c"]),
        (objects([{"bytes": b"x", "path": None}, {"bytes": None, "path": "p"}]), [b"x", "p"]),
    ],
)
def test_cells_of_every_type(cells, expected):
    column = cleaned(cells)
    if expected is not None:
        assert column.tolist() == expected
        assert (column.dtype == object) == isinstance(expected[0], bytes) or is_text(column)


@pytest.mark.parametrize(
    "cells",
    [
        pd.array([1, None], dtype="Int64"),
        pd.array([True, None], dtype="boolean"),
        pd.array([1.5, None], dtype="Float64"),
        objects([1, None]),
        objects([True, None]),
        objects(["a", ""]),
        pd.Series(["a", ""]),
        pd.Series(["a", None], dtype="string"),
        pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string())),
        pd.Series([1, None], dtype=pd.ArrowDtype(pa.int64())),
        pd.Series([True, None], dtype=pd.ArrowDtype(pa.bool_())),
        pd.Series([b"a", None], dtype=pd.ArrowDtype(pa.binary())),
        pd.Series([[0.5], None], dtype=pd.ArrowDtype(pa.list_(pa.float32()))),
        pd.Series([datetime.datetime(2024, 1, 2), None], dtype=pd.ArrowDtype(pa.timestamp("s"))),
        pd.Categorical(["a", None]),
        pd.Categorical([3, None]),
        pd.to_datetime(["2024-01-02", None]),
        objects([b"a", b""]),
        objects([np.zeros(2), float("nan")]),
        objects([{"bytes": b"x", "path": "p"}, {"bytes": None, "path": None}]),
        objects(["a", pd.NA]),
    ],
)
def test_there_is_one_way_of_saying_missing(cells):
    column = cleaned(cells)
    assert column.isna().tolist() == [False, True]
    assert column[1] is None or isinstance(column[1], float)
    assert column.dtype == object or not isinstance(column.dtype, pd.ArrowDtype)


def test_numbers_with_a_gap_stay_numbers_and_bool_with_a_gap_becomes_text():
    assert cleaned(pd.array([1, None], dtype="Int64")).dtype == float
    assert cleaned(pd.array([True, None], dtype="boolean"))[0] == "True"


def test_an_integer_too_large_for_a_column_of_integers_survives():
    assert cleaned(objects([2**70, 1])).tolist() in ([2**70, 1], [str(2**70), "1"])


def test_column_names_and_index():
    frame = clean(pd.DataFrame([[1, 2, 3]], columns=["", 5, "a"], index=[7]), "t")
    assert list(frame.columns) == ["_column1", "5", "a"]
    assert frame.index.tolist() == [0]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns named 'a'"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "two columns named '1'"),
        (pd.DataFrame({"a": []}), "no rows"),
        (pd.DataFrame(), "is empty"),
    ],
)
def test_frames_that_are_no_table(frame, reason):
    with pytest.raises(DataError, match=reason):
        clean(frame, "t")


def test_the_given_frame_is_left_alone():
    given = pd.DataFrame({"a": ["x", ""], "n": [1, 2]})
    before = given.copy()
    cleaned = clean(given, "t")
    cleaned.loc[0, "n"] = 9
    pd.testing.assert_frame_equal(given, before)
