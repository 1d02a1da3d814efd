"""Query rows of classes that the support rows lack: what is kept, what is renumbered, what is drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import helpers

from omnishot.episodes.open_set import without_classes
from omnishot.episodes.rows import Episode

INPUTS = {n: helpers.MODALITIES[n] for n in ("sensor", "facts")}


def task(ways: int, seed: int = 0) -> Episode:
    return helpers.random_episode(INPUTS, 1, ways, shots=2, queries=3, seed=seed).task(0)


@given(st.integers(2, 8), st.data())
def test_every_row_stays_with_its_class_or_is_outside(drawn, data):
    ways = data.draw(st.integers(1, drawn - 1))
    whole = task(drawn)
    own, strangers = without_classes(whole, ways, np.random.default_rng(data.draw(st.integers(0, 2**32))))
    assert own.support.ways == own.query.ways == strangers.ways == ways
    assert (len(own.support), len(own.query), len(strangers)) == (2 * ways, 3 * ways, 3 * (drawn - ways))
    assert strangers.target is None
    assert strangers.label is not None
    # Rows are told by their labels, present cells and cells: the chosen ones, in the order they had.
    stay = {}
    for half, rows in ((whole.support, own.support), (whole.query, own.query)):
        at = [i for i in range(len(half)) for j in range(len(rows)) if same(half, i, rows, j)]
        assert len(at) == len(rows)
        assert at == sorted(at)
        for i, target in zip(at, rows.target.tolist(), strict=True):
            assert stay.setdefault(int(half.target[i]), target) == target
    assert sorted(stay.values()) == list(range(ways))
    assert [stay[c] for c in sorted(stay)] == list(range(ways))  # classes keep their order
    out = [int(whole.query.target[i]) for i in range(len(whole.query)) for j in range(len(strangers))
           if same(whole.query, i, strangers, j)]  # fmt: skip
    assert Counter(out) == {c: 3 for c in range(drawn) if c not in stay}


def same(a, i, b, j) -> bool:
    return all(torch.equal(a.inputs[n][i], b.inputs[n][j]) for n in a.inputs)


def test_every_class_is_as_often_outside():
    whole, rng = task(5), np.random.default_rng(0)
    count = torch.zeros(5)
    for _ in range(600):
        own, _ = without_classes(whole, 3, rng)
        for c in range(5):
            row = int((whole.support.target == c).nonzero()[0, 0])
            count[c] += any(same(whole.support, row, own.support, j) for j in range(len(own.support)))
    assert ((count / 600 - 0.6).abs() < 0.07).all()  # 3.5 standard errors


def test_the_task_that_was_drawn_is_left_as_it_was():
    whole = task(4)
    before = whole.support.target.clone()
    without_classes(whole, 2, np.random.default_rng(0))
    assert torch.equal(whole.support.target, before)
