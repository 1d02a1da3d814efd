"""Cells are taken away in exact fractions, never from nowhere, and never all of a row's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from omnishot.episodes.missing import drop, remove

SHAPES = array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)
seeds = st.integers(0, 2**32)


def check_taken(before: np.ndarray, after: np.ndarray) -> None:
    """Nothing appears, and what had a cell keeps one."""
    assert before.shape == after.shape
    assert not (after & ~before).any()
    assert np.array_equal(after.any(-1), before.any(-1))


@given(arrays(bool, SHAPES.map(lambda s: (*s[:-1], s[-1] + 1))), st.floats(0, 1), seeds)
def test_a_fraction_of_all_inputs(present, fraction, seed):
    names = [f"i{k}" for k in range(present.shape[-1])]
    copy = present.copy()
    after = remove(present, names, {"*": fraction}, np.random.default_rng(seed))
    assert np.array_equal(present, copy)
    check_taken(present, after)
    possible = present.sum() - present.any(-1).sum()
    assert present.sum() - after.sum() == min(round(fraction * present.sum()), possible)
    assert np.array_equal(after, remove(present, names, {"*": fraction}, np.random.default_rng(seed)))


@given(arrays(bool, SHAPES.map(lambda s: (*s[:-1], s[-1] + 1))), st.floats(0, 1), seeds, st.data())
def test_a_fraction_of_one_input(present, fraction, seed, data):
    names = [f"i{k}" for k in range(present.shape[-1])]
    i = data.draw(st.integers(0, len(names) - 1))
    after = remove(present, names, {names[i]: fraction}, np.random.default_rng(seed))
    check_taken(present, after)
    others = [k for k in range(len(names)) if k != i]
    assert np.array_equal(after[..., others], present[..., others])
    possible = (present[..., i] & present[..., others].any(-1)).sum()
    assert present.sum() - after.sum() == min(round(fraction * present[..., i].sum()), possible)


@given(arrays(bool, st.tuples(st.integers(1, 20), st.just(1))), st.floats(0, 1), seeds)
def test_a_single_input_may_go_altogether(present, fraction, seed):
    after = remove(present, ["only"], {"only": fraction}, np.random.default_rng(seed))
    assert not (after & ~present).any()
    assert present.sum() - after.sum() == round(fraction * present.sum())


def test_fractions_of_several_inputs():
    present = np.ones((100, 3), bool)
    after = remove(present, ["a", "b", "c"], {"a": 0.5, "b": 0.25}, np.random.default_rng(0))
    assert (~after).sum(0).tolist() == [50, 25, 0]


def test_every_cell_goes_equally_often():
    rng = np.random.default_rng(0)
    gone = sum((~remove(np.ones((4, 3), bool), ["a", "b", "c"], {"*": 0.5}, rng)).astype(int) for _ in range(4000))
    assert gone.sum() == 4000 * 6
    assert np.abs(gone / 4000 - 0.5).max() < 0.03


def test_an_unknown_input_is_refused():
    with pytest.raises(ValueError, match="nosuch"):
        remove(np.ones((2, 2), bool), ["a", "b"], {"nosuch": 0.5}, np.random.default_rng(0))


@given(arrays(bool, SHAPES), st.floats(0, 1), seeds)
def test_dropout_takes_cells_but_never_a_whole_row(present, rate, seed):
    after = drop(present, rate, np.random.default_rng(seed))
    check_taken(present, after)
    if rate == 0:
        assert np.array_equal(after, present)
    if rate == 1:
        assert np.array_equal(after.sum(-1), present.any(-1))


def test_dropout_drops_at_its_rate():
    after = drop(np.ones((100_000, 4), bool), 0.3, np.random.default_rng(0))
    # A cell goes with the rate, unless all four of its row would have gone and it is the one that stays.
    expected = 0.3 - 0.3**4 / 4
    assert (~after).mean(0) == pytest.approx(np.full(4, expected), abs=0.005)
