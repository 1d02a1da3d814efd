"""A task's own words and their numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from omnishot.episodes.words import OwnWords

FIRST, UNKNOWN = 10, 3
OWN = OwnWords(FIRST, 3, UNKNOWN)
sentence = st.lists(st.integers(1, 30), max_size=4).map(lambda said: said + [0] * (4 - len(said)))
tokens = st.lists(sentence, min_size=1, max_size=5)


def rows(*texts: list[int]) -> np.ndarray:
    return np.array(texts)[:, None]


def test_words_are_numbered_in_the_order_in_which_they_are_said():
    support = rows([25, 5, 12, 2], [12, 25, 2, 0], [30, 11, 2, 0])
    own = OWN.of(support)
    assert own.tolist() == [25, 12, 30]  # 11 is one more than it may have
    assert OWN.renumbered(support, own)[:, 0].tolist() == [[10, 5, 11, 2], [11, 10, 2, 0], [12, UNKNOWN, 2, 0]]
    query = rows([9, 30, 28, 2])
    assert OWN.renumbered(query, own)[:, 0].tolist() == [[9, 12, UNKNOWN, 2]]


@given(support=tokens, query=tokens)
def test_each_task_has_numbers_of_its_own(support, query):
    """Shared tokens stay, own words lie between, and the same word has the same number in both halves."""
    shown, asked = rows(*support), rows(*query)
    n = min(len(shown), len(asked))
    halves = np.stack([shown[:n], asked[:n]]), np.stack([asked[:n], shown[:n]])
    found = OWN.of_tasks(*halves)
    for half, new in zip(halves, found, strict=True):
        assert new.dtype == np.int64
        assert new.min() >= 0
        assert new.max() < FIRST + OWN.most
        width = new.shape[-1]
        assert (half[..., width:] == 0).all()  # nothing but padding is left out
        shared = half[..., :width] < FIRST
        assert (new[shared] == half[..., :width][shared]).all()
        assert ((new >= FIRST) | (new == UNKNOWN))[~shared].all()
    for task in range(2):
        pairs = {(int(a), int(b)) for half, new in zip(halves, found, strict=True)
                 for a, b in zip(half[task][..., : new.shape[-1]].ravel(), new[task].ravel(), strict=True)
                 if a >= FIRST and b >= FIRST}  # fmt: skip
        assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)


def test_no_word_of_its_own():
    assert OWN.of(rows([1, 2, 3, 4])).tolist() == []
    none = OwnWords(FIRST, 0, UNKNOWN)
    assert none.of(rows([25, 12, 2, 0])).tolist() == []
    assert none.renumbered(rows([25, 5, 2, 0]), np.array([], dtype=int))[:, 0].tolist() == [[UNKNOWN, 5, 2, 0]]
    empty = OWN.of_tasks(np.zeros((1, 2, 1, 4), dtype=int), np.zeros((1, 1, 1, 4), dtype=int))
    assert empty[0].shape[-1] >= 1
