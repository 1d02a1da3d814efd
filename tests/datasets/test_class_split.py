from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.datasets.class_split import deal, deal_shares
from omnishot.errors import DataError


@given(st.sets(st.text(min_size=1), min_size=3, max_size=30), st.integers(0, 2**32), st.data())
def test_every_class_is_dealt_once_whatever_their_order(classes, seed, data):
    val = data.draw(st.integers(0, len(classes)))
    sizes = {"train": len(classes) - val, "val": val}
    dealt = deal(classes, sizes, seed)
    assert dealt.keys() == classes
    assert Counter(dealt.values()) == Counter(sizes)
    assert dealt == deal(data.draw(st.permutations([*classes, *classes])), sizes, seed)


@pytest.mark.parametrize("size", [2, 4])
def test_sizes_must_add_up(size):
    with pytest.raises(ValueError, match="zip"):
        deal("abc", {"train": size}, 0)


@pytest.mark.parametrize(("count", "sizes"), [(6, (2, 2, 2)), (9, (5, 2, 2)), (35, (24, 4, 7)), (50, (35, 5, 10))])
def test_shares_leave_no_part_without_a_class(count, sizes):
    names = [f"class {i}" for i in range(count)]
    dealt = deal_shares(names, 0, "here")
    assert dealt.keys() == set(names)
    assert tuple(sum(part == each for each in dealt.values()) for part in ("train", "val", "test")) == sizes
    assert dealt == deal_shares(reversed(names), 0, "here")
    assert dealt != deal_shares(names, 1, "here")


def test_shares_of_too_few_classes():
    with pytest.raises(DataError, match=r"here holds 5 classes \(a, b, c, d, e\): 6 are needed"):
        deal_shares("abcde", 0, "here")
