"""Tasks are drawn as they should be: distinct, exact, allowed, evenly, and the same from the same generator."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from omnishot.episodes.tasks import ClassTasks, Draw, GroupTasks, Index, distinct
from omnishot.errors import DataError


@st.composite
def classes(draw, groups: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """(codes, groups, row numbers, least rows of a class in a group), in random order, class codes with gaps."""
    kinds = draw(st.lists(st.integers(0, 30), min_size=2, max_size=5, unique=True))
    sizes = {(g, k): draw(st.integers(3, 9)) for g in range(groups) for k in kinds}
    cells = [cell for cell, n in sizes.items() for _ in range(n)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = rng.choice(10 * len(cells), size=len(cells), replace=False)  # not all rows of the table are allowed
    cells = np.array(cells)[rng.permutation(len(cells))]
    return cells[:, 1], cells[:, 0] * 7, rows, min(sizes.values())


def check_classes(drawn: Draw, code_of: dict[int, int], tasks: int, ways: int, shots: int, queries: int) -> None:
    assert drawn.ways == ways
    assert drawn.support.shape == drawn.support_target.shape == (tasks, ways * shots)
    assert drawn.query.shape == drawn.query_target.shape == (tasks, ways * queries)
    for support, query, s, q in zip(drawn.support, drawn.query, drawn.support_target, drawn.query_target, strict=True):
        everything = [*support, *query]
        assert len(set(everything)) == len(everything)  # support and query share no row, nor does a row come twice
        assert set(everything) <= code_of.keys()
        assert Counter(s.tolist()) == dict.fromkeys(range(ways), shots)
        assert Counter(q.tolist()) == dict.fromkeys(range(ways), queries)
        pairs = {(code_of[r], c) for r, c in zip(everything, [*s, *q], strict=True)}
        assert len(pairs) == len({code for code, _ in pairs}) == ways  # one class of the task for each of the table


@given(st.data(), classes(), st.integers(0, 2**32))
def test_sampled_classes(data, table, seed):
    codes, _, rows, least = table
    ways = data.draw(st.integers(1, len(set(codes.tolist()))))
    shots = data.draw(st.integers(1, least - 1))
    queries = data.draw(st.integers(1, least - shots))
    source = ClassTasks(codes, rows)
    drawn = source.draw(np.random.default_rng(seed), 3, ways, shots, queries)
    check_classes(drawn, dict(zip(rows.tolist(), codes.tolist(), strict=True)), 3, ways, shots, queries)
    again = source.draw(np.random.default_rng(seed), 3, ways, shots, queries)
    assert np.array_equal(drawn.support, again.support)
    assert np.array_equal(drawn.query, again.query)


@given(st.data(), classes(groups=3), st.integers(0, 2**32))
def test_classes_of_a_group(data, table, seed):
    codes, groups, rows, least = table
    ways = data.draw(st.integers(1, len(set(codes.tolist()))))
    shots = data.draw(st.integers(1, least - 1))
    queries = data.draw(st.integers(1, least - shots))
    source = GroupTasks(groups, rows, codes)
    assert len(source) == 3
    drawn = source.draw(np.random.default_rng(seed), 4, ways, shots, queries)
    check_classes(drawn, dict(zip(rows.tolist(), codes.tolist(), strict=True)), 4, ways, shots, queries)
    group_of = dict(zip(rows.tolist(), groups.tolist(), strict=True))
    for support, query in zip(drawn.support, drawn.query, strict=True):
        assert len({group_of[r] for r in [*support, *query]}) == 1
    again = source.draw(np.random.default_rng(seed), 4, ways, shots, queries)
    assert np.array_equal(drawn.support, again.support)
    assert np.array_equal(drawn.query, again.query)


@given(classes(groups=3), st.integers(1, 3), st.integers(0, 2**32))
def test_numbers_of_a_group(table, shots, seed):
    _, groups, rows, least = table
    source = GroupTasks(groups, rows)
    drawn = source.draw(np.random.default_rng(seed), 4, None, shots, least)
    assert drawn.ways is drawn.support_target is drawn.query_target is None
    assert drawn.support.shape == (4, shots)
    assert drawn.query.shape == (4, least)
    group_of = dict(zip(rows.tolist(), groups.tolist(), strict=True))
    for support, query in zip(drawn.support, drawn.query, strict=True):
        assert len({*support, *query}) == shots + least
        assert len({group_of[r] for r in [*support, *query]}) == 1


def test_groups_may_have_different_classes():
    groups = np.repeat([4, 9], 6)
    codes = np.array([0, 0, 0, 5, 5, 5, 5, 5, 5, 8, 8, 8])
    source = GroupTasks(groups, np.arange(12), codes)
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(50):
        drawn = source.draw(rng, 1, 2, 1, 2)
        seen.add(tuple(sorted({codes[r] for r in drawn.support[0]})))
        assert len({groups[r] for r in [*drawn.support[0], *drawn.query[0]]}) == 1
    assert seen == {(0, 5), (5, 8)}


# -- evenly; every seed is fixed, so these either hold or do not ---------------------------------------------


def test_every_class_group_and_row_is_drawn_about_equally_often():
    codes = np.repeat(np.arange(12), [4, 40] * 6)  # how large a class is does not matter
    rows = np.random.default_rng(5).permutation(len(codes))
    drawn = ClassTasks(codes, rows).draw(np.random.default_rng(1), 4000, 3, 1, 1)
    code_of = np.empty(len(codes), dtype=int)
    code_of[rows] = codes
    by_class = np.bincount(code_of[drawn.support].ravel(), minlength=12)
    assert by_class.sum() == 12000
    assert chisquare(by_class).pvalue > 0.01
    for column in range(3):  # and each class is any class of the task equally often
        assert chisquare(np.bincount(code_of[drawn.support[:, column]], minlength=12)).pvalue > 0.01
    of_one_class = drawn.query[code_of[drawn.query] == 1]
    counts = np.bincount(of_one_class, minlength=len(codes))[code_of == 1]
    assert chisquare(counts).pvalue > 0.01

    groups = np.repeat(np.arange(5), [10, 20, 30, 40, 50])
    drawn = GroupTasks(groups, np.arange(150)).draw(np.random.default_rng(2), 4000, None, 1, 1)
    assert chisquare(np.bincount(groups[drawn.support[:, 0]], minlength=5)).pvalue > 0.01


@pytest.mark.parametrize("population", [2, 4, 5, 8, 9, 12])  # shuffled up to 8, drawn again above
def test_distinct_gives_every_ordered_pair_equally_often(population):
    times = 100 * population * (population - 1)
    # Neighbours of other sizes, some on the other side of the limit, change nothing.
    populations = np.tile([population, 40, 3], times).reshape(times, 3)
    drawn = distinct(np.random.default_rng(population), populations, 2)[:, 0]
    pairs = Counter(map(tuple, drawn.tolist()))
    assert len(pairs) == population * (population - 1)
    assert chisquare(list(pairs.values())).pvalue > 0.01


def test_triples_that_had_to_be_drawn_again_are_as_even():
    populations = np.full(60_000, 13)  # one first draw in five has a number twice or thrice
    drawn = distinct(np.random.default_rng(3), populations, 3)
    found = np.bincount(drawn @ np.array([169, 13, 1]), minlength=13**3)
    assert (found > 0).sum() == 13 * 12 * 11
    assert chisquare(found[found > 0]).pvalue > 0.01


@given(st.lists(st.integers(0, 200), min_size=1, max_size=9), st.data(), st.integers(0, 2**32))
def test_distinct_is_distinct(populations, data, seed):
    n = data.draw(st.integers(0, min(populations)))
    drawn = distinct(np.random.default_rng(seed), np.array(populations), n)
    assert drawn.shape == (len(populations), n)
    for numbers, population in zip(drawn.tolist(), populations, strict=True):
        assert len(set(numbers)) == n
        assert all(0 <= i < population for i in numbers)


def test_distinct_does_not_look_at_the_whole_population():
    drawn = distinct(np.random.default_rng(0), np.array([[10**15], [10**15]]), 20)
    assert drawn.shape == (2, 1, 20)
    assert len(set(drawn.ravel().tolist())) == 40
    assert drawn.max() > 10**14


def test_distinct_refuses_more_than_there_are():
    with pytest.raises(ValueError, match="4 different numbers below 3"):
        distinct(np.random.default_rng(0), np.array([9, 3]), 4)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=40))
@settings(max_examples=30)
def test_index_finds_the_rows_of_a_key(keys):
    rows = np.arange(100, 100 + len(keys))
    index = Index(np.array(keys), rows)
    assert index.keys.tolist() == sorted(set(keys))
    for position, key in enumerate(index.keys.tolist()):
        found = index.sample(np.random.default_rng(0), np.array([position]), keys.count(key))
        assert sorted(found[0].tolist()) == [100 + i for i, k in enumerate(keys) if k == key]
    assert index.order.itemsize == 4


def test_row_numbers_beyond_four_bytes():
    index = Index(np.zeros(3, int), np.array([5, 2**31, 2**40]))
    assert sorted(index.sample(np.random.default_rng(0), np.array([0]), 3)[0].tolist()) == [5, 2**31, 2**40]


def test_what_is_too_small_is_refused_with_what_to_do():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="4 ways need 4 classes, this part of the table has 3"):
        ClassTasks(np.repeat([0, 1, 2], 5), np.arange(15)).draw(rng, 1, 4, 1, 1)
    with pytest.raises(DataError, match=r"6 different rows .* has 5.*fewer shots or queries"):
        ClassTasks(np.repeat([0, 1, 2], 5), np.arange(15)).draw(rng, 1, 3, 1, 5)
    with pytest.raises(DataError, match="3 ways need 3 classes, a group of the table has 2"):
        GroupTasks(np.zeros(4, int), np.arange(4), np.array([0, 0, 1, 1])).draw(rng, 1, 3, 1, 1)
    with pytest.raises(DataError, match=r"6 different rows .* has 4"):
        GroupTasks(np.zeros(4, int), np.arange(4)).draw(rng, 1, None, 3, 3)


@pytest.mark.parametrize("each", [5, 60], ids=["few rows", "many rows"])
def test_every_row_of_a_class_is_drawn(each):
    """The last row as often as the others: each of the two ways of drawing, from small and from large classes."""
    source = ClassTasks(np.repeat(np.arange(4), each), np.arange(4 * each))
    draw = source.draw(np.random.default_rng(0), 1500, 3, 1, 2)
    rows, counts = np.unique(np.concatenate([draw.support.ravel(), draw.query.ravel()]), return_counts=True)
    assert rows.tolist() == list(range(4 * each))
    assert counts.min() > counts.mean() / 2
