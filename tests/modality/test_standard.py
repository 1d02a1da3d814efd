import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from omnishot.modality.standard import FURTHEST, mean_and_std, standardised

NUMBERS = st.floats(-1e30, 1e30) | st.just(np.nan)


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 3)), elements=NUMBERS))
def test_standardised_numbers_are_finite_and_near_zero(values):
    result = standardised(values, *mean_and_std(values))
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert (np.abs(result) <= FURTHEST).all()
    assert (result[np.isnan(values)] == 0).all()


def test_mean_0_and_deviation_1(rng):
    values = rng.normal((1e9, -3), (2, 1e-5), (500, 2))
    result = standardised(values, *mean_and_std(values)).astype(float)
    np.testing.assert_allclose(result.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(result.std(0), 1, atol=1e-6)


@pytest.mark.parametrize("constant", [0.0, 0.1, 3e38, -7.0])
def test_what_never_varies(constant):
    mean, std = mean_and_std(np.full(1000, constant))
    assert (mean, std) == (pytest.approx(constant), 1)


def test_nothing_at_all():
    assert mean_and_std(np.full(3, np.nan)) == (0, 1)
