"""The covering designs that stand in for full grids."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from support.covering import pairwise, rotated

AXES = st.lists(st.integers(1, 4).map(range), min_size=2, max_size=5)


@given(AXES)
def test_every_two_values_meet(axes):
    rows = pairwise(*axes)
    for i, j in combinations(range(len(axes)), 2):
        assert {(row[i], row[j]) for row in rows} == {(a, b) for a in axes[i] for b in axes[j]}


def test_far_fewer_rows_than_the_grid():
    assert len(pairwise(range(6), range(4), range(3), range(2), range(2))) <= 26  # of 288


@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 3))
def test_every_other_one_is_tried_as_often(names, others, each):
    rows = rotated(map(str, range(names)), range(others), each)
    counts = [sum(other == tried for _, tried in rows) for other in range(others)]
    assert max(counts) - min(counts) <= 1
    assert {name for name, _ in rows} == set(map(str, range(names)))
