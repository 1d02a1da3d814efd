from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from omnishot.episodes.crossing import crossed, keep


@given(st.integers(1, 9), st.integers(2, 5), st.integers(0, 99))
def test_all_tasks_or_none(tasks, inputs, seed):
    support, query = crossed(tasks, inputs, 1.0, np.random.default_rng(seed))
    assert (support.sum(-1) == 1).all()
    assert (query.sum(-1) == 1).all()
    assert not (support & query).any()
    assert crossed(tasks, inputs, 0.0, np.random.default_rng(seed)).all()


def test_a_fraction_of_the_tasks_and_every_pair_alike():
    support, query = crossed(12_000, 3, 0.25, np.random.default_rng(0))
    single = support.sum(-1) == 1
    assert abs(single.mean() - 0.25) < 0.02
    pairs = np.bincount(support[single].argmax(-1) * 3 + query[single].argmax(-1), minlength=9).reshape(3, 3)
    assert (np.diag(pairs) == 0).all()
    fractions = pairs[~np.eye(3, dtype=bool)] / single.sum()
    assert np.abs(fractions - 1 / 6).max() < 0.03


def test_a_row_without_the_input_stays_as_it_is():
    present = np.array([[[1, 1, 0], [0, 1, 1], [0, 0, 0]], [[1, 0, 1], [0, 1, 0], [1, 1, 1]]], bool)
    kept = np.array([[1, 0, 0], [0, 0, 1]], bool)
    wanted = np.array([[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 1], [0, 1, 0], [0, 0, 1]]], bool)
    assert np.array_equal(keep(present, kept), wanted)
