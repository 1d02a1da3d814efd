import datetime

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from omnishot.errors import UsageError
from omnishot.modality.base import CellError
from omnishot.modality.standard import FURTHEST
from omnishot.modality.tabular import Tabular

KINDS = {"colour": "category", "weight": "number", "site": "category", "age": "number"}
FRAME = pd.DataFrame(
    {
        "colour": ["red", "red", "blue", None, "red"],
        "weight": [1.0, 2.0, np.nan, 4.0, 5.0],
        "site": [1, 2, 1, 3, 1],
        "age": ["10", "20", "", "30", " 40 "],
    }
)
FITTED = Tabular.fit(FRAME, kinds=KINDS)


def decode(**columns):
    base = {name: [None] * len(next(iter(columns.values()))) for name in KINDS}
    return FITTED.decode_columns(base | columns)


def test_fits_and_keeps_the_contract(keeps_the_contract):
    stored, bad = FITTED.decode_columns(FRAME)
    assert not bad
    keeps_the_contract(FITTED, stored)
    assert FITTED.columns == ("weight", "age", "colour", "site")
    assert FITTED.numbers == 2
    assert FITTED.cardinalities == (0, 0, 3, 4)
    assert FITTED.levels[2] == ("red", "blue")
    normal = FITTED.normalise(torch.from_numpy(stored))
    for column in range(2):
        known = normal[:, column, 0][normal[:, column, 1] > 0]
        assert abs(known.mean()) < 1e-6
        assert abs(known.std(correction=0) - 1) < 1e-6
    assert stored[:, 2].tolist() == [[1, 1], [1, 1], [2, 1], [0, 0], [1, 1]]


def test_an_unseen_level_counts_as_missing():
    stored, bad = decode(colour=["green", "red", "blue"])
    assert not bad
    assert stored[:, 2].tolist() == [[0, 0], [1, 1], [2, 1]]
    assert FITTED.present(stored).tolist() == [False, True, True]


@pytest.mark.parametrize("values", [[1, 2, 3], [1.0, 2.0, 3.0], ["1", "2", "3"], pd.Categorical([1, 2, 3])])
def test_levels_do_not_depend_on_the_column_type(values):
    stored, _ = decode(site=values)
    assert stored[:, 3].tolist() == [[1, 1], [2, 1], [3, 1]]


def test_bad_cells():
    stored, bad = decode(
        weight=["abc", float("inf"), b"1", [1], "1,5", 1e300, "7", None, "", "nan", True],
        colour=["red", b"red", ["red"], {"a": 1}, np.ones(2), None, "", " ", float("nan"), 3, True],
    )
    assert bad == [
        (0, "weight", "text in a number column: 'abc'"),
        (1, "weight", "inf in a number column"),
        (1, "colour", "bytes in a category column"),
        (2, "weight", "bytes in a number column"),
        (2, "colour", "list in a category column"),
        (3, "weight", "list in a number column"),
        (3, "colour", "dict in a category column"),
        (4, "weight", "text in a number column: '1,5'"),
        (4, "colour", "ndarray in a category column"),
        (5, "weight", "1e+300 in a number column"),
    ]
    assert np.flatnonzero(stored[:, 0, 1]).tolist() == [6, 10]
    assert np.flatnonzero(stored[:, 2, 1]).tolist() == [0]


def test_columns_of_any_type():
    numbers = [
        [1, 2],
        np.array([1.0, 2.0]),
        pd.Series([1, 2], index=[9, 9]),
        pd.array([1, 2], "Int64"),
        ["1", "2"],
        [True, 2],
    ]
    results = [decode(weight=column)[0] for column in numbers]
    for result in results:
        np.testing.assert_array_equal(result, results[0])
    stored, bad = decode(weight=pd.array([None, 2], "Int64"), colour=pd.array([None, "red"], "string"))
    assert not bad
    assert stored[..., 1].tolist() == [[0, 0, 0, 0], [1, 0, 1, 0]]


def test_constant_and_empty_columns_and_large_numbers():
    frame = {"same": [7.0, 7.0, 7.0], "none": [None, None, None], "time": [1.7e9, 1.7e9 + 1, 1.7e9 + 2]}
    fitted = Tabular.fit(frame, kinds=dict.fromkeys(frame, "number"))
    stored, _ = fitted.decode_columns(frame)
    assert stored[:, 0].tolist() == [[0, 1]] * 3
    assert not stored[:, 1].any()
    # Seconds since 1970 would lose their differences if they were stored as float32 before standardising.
    np.testing.assert_allclose(stored[:, 2, 0], np.array([-1, 0, 1]) * np.sqrt(1.5), rtol=1e-5)
    far, _ = fitted.decode_columns({"same": [7e30], "none": [1], "time": [-1e30]})
    assert far[0, :, 0].tolist() == [FURTHEST, 1, -FURTHEST]
    with pytest.raises(CellError, match="no value"):
        Tabular.fit({"none": [None]}, kinds={"none": "number"})
    with pytest.raises(UsageError, match="number"):
        Tabular.fit({"none": [1]}, kinds={"none": "numbr"})


def test_rare_levels_are_unknown(monkeypatch):
    monkeypatch.setattr("omnishot.modality.tabular.MOST_LEVELS", 2)
    fitted = Tabular.fit({"c": list("aaabbc")}, kinds={"c": "category"})
    assert fitted.levels == (("a", "b"),)
    assert fitted.decode_columns({"c": list("abc")})[0][:, 0, 0].tolist() == [1, 2, 0]


CELLS = (
    st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.booleans() | st.binary(max_size=3) | st.dates()
)


@given(st.lists(st.tuples(CELLS, CELLS)))
def test_any_cells_give_one_shape(rows):
    columns = {"weight": [a for a, _ in rows], "colour": [b for _, b in rows]}
    stored, bad = FITTED.decode_columns(columns | {"site": [None] * len(rows), "age": [None] * len(rows)})
    assert stored.shape == (len(rows), *FITTED.shape)
    assert stored.dtype == np.float32
    assert np.isfinite(stored).all()
    assert (stored[..., 0][stored[..., 1] == 0] == 0).all()
    for row, column, reason in bad:
        assert reason
        assert not stored[row, FITTED.columns.index(column)].any()


def test_noise_replaces_categories_by_other_levels():
    cells = torch.from_numpy(decode(site=[1] * 3000)[0])
    noisy = FITTED.corrupt(cells, 0.6, torch.Generator().manual_seed(0))
    assert abs((noisy[:, 3, 0] != 1).float().mean() - 0.6 * 2 / 3) < 0.03
    assert set(noisy[:, 3, 0].tolist()) == {1, 2, 3}


def test_picture():
    stored, _ = decode(weight=[2.5], colour=["blue"], age=[None])
    assert FITTED.picture(stored[0]) == "weight: 2.5\ncolour: blue"
    assert decode(colour=[datetime.date(2020, 1, 1)])[1] == []
