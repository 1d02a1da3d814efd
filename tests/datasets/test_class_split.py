from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.datasets.class_split import split_by_fractions, split_classes
from omnishot.errors import DataError


@given(st.sets(st.text(min_size=1), min_size=3, max_size=30), st.integers(0, 2**32), st.data())
def test_every_class_is_in_one_split_whatever_their_order(classes, seed, data):
    val = data.draw(st.integers(0, len(classes)))
    sizes = {"train": len(classes) - val, "val": val}
    splits = split_classes(classes, sizes, seed)
    assert splits.keys() == classes
    assert Counter(splits.values()) == Counter(sizes)
    assert splits == split_classes(data.draw(st.permutations([*classes, *classes])), sizes, seed)


@pytest.mark.parametrize("size", [2, 4])
def test_sizes_must_add_up(size):
    with pytest.raises(ValueError, match="zip"):
        split_classes("abc", {"train": size}, 0)


@pytest.mark.parametrize(("count", "sizes"), [(6, (2, 2, 2)), (9, (5, 2, 2)), (35, (24, 4, 7)), (50, (35, 5, 10))])
def test_fractions_leave_no_part_without_a_class(count, sizes):
    names = [f"class {i}" for i in range(count)]
    splits = split_by_fractions(names, 0, "here")
    assert splits.keys() == set(names)
    assert tuple(sum(part == each for each in splits.values()) for part in ("train", "val", "test")) == sizes
    assert splits == split_by_fractions(reversed(names), 0, "here")
    assert splits != split_by_fractions(names, 1, "here")


def test_fractions_of_too_few_classes():
    with pytest.raises(DataError, match=r"here holds 5 classes \(a, b, c, d, e\): 6 are needed"):
        split_by_fractions("abcde", 0, "here")
