import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from omnishot.errors import UsageError
from omnishot.modality.base import CellError
from omnishot.modality.series import Series

MODALITY = Series(6, 2, (0.0, 0.0), (1.0, 1.0))
ONE = Series(6, 1, (0.0,), (1.0,))


def npy(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def test_fits_and_keeps_the_contract(rng, keeps_the_contract):
    cells = [npy(rng.normal((5, -2), (3, 0.1), (n, 2))) for n in (20, 30, 25)]
    cells.append(npy(np.full((4, 2), np.nan) * 1))
    fitted = Series.fit(cells)
    assert fitted.shape == (30, 4)
    stored = np.stack([fitted.decode(cell) for cell in cells[:3]])
    keeps_the_contract(fitted, stored)
    normal = fitted.normalise(torch.from_numpy(stored))
    values, valid = normal[..., :2], normal[..., 2:].bool()
    for channel in range(2):
        known = values[..., channel][valid[..., channel]]
        assert abs(known.mean()) < 1e-3
        assert abs(known.std(correction=0) - 1) < 1e-3
    assert (values[~valid] == 0).all()


def test_defaults_and_options():
    assert Series.fit([np.ones(1000)]).steps == 256
    assert Series.fit([np.ones(7), np.ones((5, 3)), np.ones(6)]).channels == 1
    assert Series.fit([np.ones(7)], steps=3).shape == (3, 2)
    assert Series.fit([np.ones(7)]).std == (1.0,)
    with pytest.raises(UsageError):
        Series.fit([np.ones(7)], steps=0)
    with pytest.raises(CellError, match="none of 1"):
        Series.fit([b"no number"])


def test_values_then_validity():
    stored = MODALITY.decode(np.array([[1.0, np.nan], [3.0, 4.0]]))
    assert stored[:2].tolist() == [[1, 0, 1, 0], [3, 4, 1, 1]]
    assert not stored[2:].any()


def test_longer_series_are_resampled():
    np.testing.assert_allclose(ONE.decode(np.arange(51.0))[:, 0], np.arange(0, 51, 10))
    line = ONE.decode(np.arange(12.0))[:, 0]
    np.testing.assert_allclose(line, np.linspace(0, 11, 6), rtol=1e-6)
    gap = np.arange(11.0)
    gap[4] = np.nan
    assert ONE.decode(gap)[:, 1].tolist() == [1, 1, 0, 1, 1, 1]


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n,4\n",
        "a,b\r\n1,2\r\n,4",
        "\ufeffa,b\n1,2\n,4",
        "1\t2\n\t4\n",
        "1;2\n;4\n\n",
        "a;b\n1;2\nnan;4",
        "x y\n1 2\nnan 4\n",
    ],
)
def test_text_files(text):
    expected = MODALITY.decode(np.array([[1, 2], [np.nan, 4]]))
    np.testing.assert_array_equal(MODALITY.decode(text.encode()), expected)


def test_a_column_of_numbers_needs_no_separator():
    np.testing.assert_array_equal(ONE.decode(b"1\n2.5\n-3e2\n"), ONE.decode(np.array([1, 2.5, -300])))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (b"1,2\n3\n", "line 2 has 1 values, the first line 2"),
        (b"a,b\n1,2\n3,x\n", "line 3: 'x' is no number"),
        (b"a,b\n", "no line of numbers"),
        (b" \n", "empty"),
        (b"\x00\xff\xfe", "no series"),
        (b"1,2,3\n", "3 channels; the training series have 2"),
        (b"1,inf\n", "step 1, channel 2"),
        (np.array([[1, np.inf]]), "inf"),
        (np.array([[1, 1e300]]), "expected finite"),
        (np.full((3, 2), np.nan), "no value"),
        (np.zeros((0, 2)), "empty"),
        (np.zeros((2, 2, 2)), "shape"),
        (np.array(["a"]), "not of numbers"),
        (npy(np.ones((9, 2)))[:-20], "truncated"),
        (npy(np.ones((9, 2)))[:40], "damaged"),
        (npy(np.array([{}]), allow_pickle=True), "not of numbers"),
        (npy(np.ones((9, 2))).replace(b"(9, 2)", b"(9000000000, 2)"), "truncated|damaged"),
    ],
)
def test_bad_cells(cell, reason):
    with pytest.raises(CellError, match=reason):
        MODALITY.decode(cell)


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int16, np.uint8, np.bool_]),
        st.tuples(st.integers(1, 20), st.just(2)),
    )
)
def test_any_array_gives_one_shape(array):
    try:
        stored = MODALITY.decode(array)
    except CellError:
        assert not np.isfinite(array.astype(float)).all() or np.abs(array.astype(float)).max() > 3e38
        return
    assert stored.shape == MODALITY.shape
    assert stored.dtype == np.float32
    assert np.isfinite(stored).all()
    np.testing.assert_array_equal(MODALITY.decode(npy(array)), stored)


@given(st.binary(max_size=100), st.sampled_from([b"", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x03\x00", b"1,2\n"]))
def test_garbage_is_a_cell_error(garbage, magic):
    try:
        stored = MODALITY.decode(magic + garbage)
    except CellError:
        return
    assert np.isfinite(stored).all()  # garbage may happen to be numbers


def test_nested_lists_from_parquet():
    nested = np.empty(2, object)
    nested[:] = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    np.testing.assert_array_equal(MODALITY.decode(nested), MODALITY.decode(np.array([[1.0, 2], [3, 4]])))


def test_picture():
    assert MODALITY.picture(MODALITY.decode(np.ones((3, 2)))).size == (240, 120)
