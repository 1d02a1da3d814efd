from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.datasets.dealing import deal


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
