from __future__ import annotations

import itertools

import numpy as np
import pytest

from omnishot.analysis.explain.shapley import shapley, subsets


def average_over_orders(values: np.ndarray, inputs: int) -> np.ndarray:
    """What each input adds when it is shown, the mean over all orders of showing them (Shapley's own definition)."""
    shares = np.zeros((inputs, *values.shape[1:]))
    orders = list(itertools.permutations(range(inputs)))
    for order in orders:
        shown = 0
        for i in order:
            shares[i] += values[shown + 2**i] - values[shown]
            shown += 2**i
    return shares / len(orders)


@pytest.mark.parametrize("inputs", [1, 2, 3, 5])
def test_it_is_the_mean_over_all_orders(inputs):
    values = np.random.default_rng(inputs).normal(size=(2**inputs, 4))
    assert np.abs(shapley(values) - average_over_orders(values, inputs)).max() < 1e-12


@pytest.mark.parametrize("inputs", [1, 2, 4, 8])
def test_shares_sum_to_the_difference(inputs):
    values = np.random.default_rng(0).random((2**inputs, 50)).astype(np.float32)
    difference = values[-1].astype(np.float64) - values[0]
    assert np.abs(shapley(values).sum(0) - difference).max() < 1e-6


def test_an_input_that_changes_nothing_gets_exactly_zero_and_equal_ones_the_same():
    shown = subsets(3)
    values = np.where(shown[:, 0] | shown[:, 1], 0.7, 0.1) + 0.2 * (shown[:, 0] & shown[:, 1])  # the third is a dummy
    first, second, third = shapley(values)
    assert third == 0
    assert first == pytest.approx(second, abs=1e-15)
    assert first == pytest.approx(0.4, abs=1e-12)


def test_subsets_are_counted_in_bits():
    assert subsets(2).tolist() == [[False, False], [True, False], [False, True], [True, True]]
    assert shapley(np.zeros((1, 3))).shape == (0, 3)


def test_a_value_is_needed_for_every_subset():
    with pytest.raises(ValueError, match="3 values"):
        shapley(np.zeros(3))
