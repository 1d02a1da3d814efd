"""Cosines, planes and neighbours beside scikit-learn's and written-out loops."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from omnishot.analysis.explain.neighbours import nearest
from omnishot.analysis.explain.projection import Plane
from omnishot.analysis.explain.similarity import PAIRS, similarity


def test_similarity_is_a_loop_over_pairs():
    rng = np.random.default_rng(0)
    x, present, classes = rng.normal(size=(7, 3, 5)), rng.random((7, 3)) < 0.7, np.array([0, 0, 1, 1, 2, -1, -1])
    result = similarity(x, present, classes)
    assert list(result) == list(PAIRS)
    for name, chosen in {
        PAIRS[0]: lambda r, s: r == s,
        PAIRS[1]: lambda r, s: r != s and classes[r] == classes[s] >= 0,
        PAIRS[2]: lambda r, s: classes[r] != classes[s] and min(classes[r], classes[s]) >= 0,
    }.items():
        for i in range(3):
            for j in range(3):
                cosines = [
                    x[r, i] @ x[s, j] / np.linalg.norm(x[r, i]) / np.linalg.norm(x[s, j])
                    for r in range(7)
                    for s in range(7)
                    if chosen(r, s) and present[r, i] and present[s, j]
                ]
                if cosines:
                    assert result[name][i, j] == pytest.approx(np.mean(cosines), abs=1e-12)
                else:
                    assert np.isnan(result[name][i, j])


def test_without_classes_rows_are_compared_with_themselves():
    result = similarity(np.ones((2, 2, 3)), np.array([[True, True], [True, False]]))
    assert list(result) == [PAIRS[0]]
    assert np.allclose(result[PAIRS[0]], 1)
    no_pair = similarity(np.ones((2, 2, 3)), np.array([[True, False], [True, False]]))[PAIRS[0]]
    assert np.isnan(no_pair[0, 1])


def test_the_plane_is_that_of_principal_components():
    x = np.random.default_rng(1).normal(size=(40, 6)) * [5, 3, 1, 1, 0.5, 0.1]
    plane, other = Plane.fit(x), PCA(2).fit(x)
    assert np.allclose(np.abs(plane.project(x)), np.abs(other.transform(x)))
    assert plane.explained_variance == pytest.approx(other.explained_variance_ratio_.sum())
    assert (np.take_along_axis(plane.axes, np.abs(plane.axes).argmax(1)[:, None], 1) > 0).all()


@pytest.mark.parametrize("x", [np.zeros((3, 4)), np.arange(5.0)[:, None], np.ones((1, 3))])
def test_a_plane_of_too_little_is_finite(x):
    plane = Plane.fit(x)
    assert plane.project(x).shape == (len(x), 2)
    assert np.isfinite(plane.project(x)).all()
    assert plane.explained_variance == 1


def test_neighbours_are_the_nearest():
    rng = np.random.default_rng(2)
    query, support = rng.normal(size=(9, 4)), rng.normal(size=(6, 4))
    distances, which = NearestNeighbors(n_neighbors=3).fit(support).kneighbors(query)
    result = nearest(query, support, 3)
    assert (result[0] == which).all()
    assert np.allclose(result[1], distances)
    assert nearest(query, support[:2], 3)[0].shape == (9, 2)
