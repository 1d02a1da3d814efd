"""The nearest of many vectors."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from omnishot.analysis.search import nearest
from omnishot.analysis.search.nearest import Nearest
from omnishot.errors import UsageError


def unit(seed: int, *shape: int) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("top", [1, 7, 60, 300, 1000])
def test_exact_is_a_sort_of_all_cosines(top):
    vectors, queries = unit(0, 300, 8), unit(1, 5, 8)
    cosines, indices = Nearest(vectors).find(queries, top)
    every = queries @ vectors.T
    expected = np.argsort(-every, axis=1, kind="stable")[:, :top]
    assert np.array_equal(indices, expected)
    assert np.array_equal(cosines, np.take_along_axis(every, expected, 1))


def test_of_equals_the_first():
    vectors = np.repeat(unit(0, 2, 4), [30, 30], axis=0)
    _, indices = Nearest(vectors).find(vectors[:1], 3)
    assert indices.tolist() == [[0, 1, 2]]
    _, indices = Nearest(vectors).find(vectors[-1:], 3)
    assert indices.tolist() == [[30, 31, 32]]


def test_an_index_over_few_vectors_finds_what_all_comparisons_find():
    pytest.importorskip("faiss")
    vectors, queries = unit(2, 60, 8), unit(3, 20, 8)  # 15 cells, all of which are compared
    for exact, index in zip(Nearest(vectors).find(queries, 10), Nearest(vectors, False).find(queries, 10), strict=True):
        assert np.allclose(exact, index, atol=1e-6)


def test_an_index_over_many_vectors_misses_few_and_is_the_same_each_time():
    pytest.importorskip("faiss")
    rng, centres = np.random.default_rng(4), unit(5, 200, 16)
    vectors = centres[rng.integers(0, 200, 20_000)] + 0.2 * unit(6, 20_000, 16)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[::1000]
    _, exact = Nearest(vectors).find(queries, 10)
    cosines, indices = Nearest(vectors, False).find(queries, 10)
    shared = np.mean([len({*a} & {*b}) / 10 for a, b in zip(exact, indices, strict=True)])
    assert shared > 0.95
    assert np.allclose(cosines[:, 0], 1, atol=1e-5)  # each finds itself
    assert np.array_equal(indices, Nearest(vectors, False).find(queries, 10)[1])


def test_an_index_is_for_more_rows_than_are_compared(monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(nearest, "EXACT", 50)
    assert Nearest(unit(0, 50, 4)).exact
    assert not Nearest(unit(0, 51, 4)).exact
    assert Nearest(unit(0, 51, 4), exact=True).exact


def test_without_faiss_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UsageError, match=r"51 rows .*pip install 'omnishot\[search\]'.*--exact"):
        Nearest(unit(0, 51, 4), exact=False)
    assert Nearest(unit(0, 51, 4)).exact
