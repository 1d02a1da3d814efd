import itertools
from collections import Counter

import numpy as np
import pytest

from omnishot.worlds.scenes import colours as scene_colours
from omnishot.worlds.scenes import shapes as scene_shapes
from omnishot.worlds.scenes import textures as scene_textures
from omnishot.worlds.scenes.concepts import concepts
from omnishot.worlds.scenes.vocabulary import VOCABULARY, invent

CONCEPTS = concepts(120, 0)
APPEARANCES = {kind: [c.appearance for c in CONCEPTS if c.kind == kind] for kind in ("colour", "shape", "texture")}
GRID = np.meshgrid(np.linspace(-0.7, 0.7, 20), np.linspace(-0.7, 0.7, 20))


def test_words_are_different_and_none_is_known():
    words = invent(600, np.random.default_rng(0))
    assert len(set(words)) == 600
    assert not set(words) & VOCABULARY
    assert all(word.isascii() and word.isalpha() and 4 <= len(word) <= 8 for word in words)


def test_more_concepts_leave_those_before_as_they_are():
    few = concepts(12, 0)
    assert [(c.word, c.kind, c.split) for c in few] == [(c.word, c.kind, c.split) for c in CONCEPTS[:12]]
    assert all(
        np.array_equal(a.appearance, b.appearance) for a, b in zip(few, CONCEPTS, strict=False) if a.kind != "texture"
    )


def test_new_colours_can_be_shown_and_are_farther_from_the_basic_ones_than_things_of_a_colour_vary():
    basic = np.stack([scene_colours.lab(*colour) for colour in scene_colours.BASIC.values()])
    for look in APPEARANCES["colour"]:
        shown = scene_colours.to_rgb(look)
        assert shown.min() >= 0
        assert shown.max() <= 255
        assert np.linalg.norm(basic - look, axis=1).min() >= scene_colours.APART
    rng = np.random.default_rng(0)
    varied = [np.linalg.norm(scene_colours.vary(basic[0], rng) - basic[0]) for _ in range(1000)]
    assert np.quantile(varied, 0.99) < scene_colours.APART / 2


@pytest.mark.parametrize(
    ("colour", "rgb"),
    [((1, 0, 0), (255, 255, 255)), ((0.627955, 0.257683, 29.2339), (255, 0, 0)), ((0, 0, 0), (0, 0, 0))],
)
def test_colours_are_as_published(colour, rgb):
    """White, black, and sRGB's red, whose OKLCh is 0.628, 0.2577, 29.23°."""
    assert scene_colours.to_rgb(scene_colours.lab(*colour)) == pytest.approx(rgb, abs=0.6)


def test_new_colours_are_spread():
    gaps = [np.linalg.norm(a - b) for a, b in itertools.combinations(APPEARANCES["colour"], 2)]
    assert min(gaps) > 0.04


def test_shapes_are_centred_and_reach_one():
    for outline in APPEARANCES["shape"]:
        assert np.hypot(*outline.T).max() == pytest.approx(1)
        assert outline.min(0) == pytest.approx(-outline.max(0))


def test_a_turned_basic_shape_is_nothing_new():
    """Compared on a finer grid than the one they were chosen with, at other turns."""
    for outline in APPEARANCES["shape"]:
        for basic in scene_shapes.BASIC.values():
            for angle in (0, 37, 90, 171):
                turned = scene_shapes.turned(scene_shapes.settle(basic), angle)
                assert difference(outline, turned) > 0.15


def difference(one, other):
    """The fraction of the joint area of two outlines of unit area that only one covers, by testing points of a grid."""
    from matplotlib.path import Path

    points = np.stack(np.meshgrid(np.linspace(-1.2, 1.2, 40), np.linspace(-1.2, 1.2, 40)), -1).reshape(-1, 2)
    inside = []
    for outline in (one, other):
        x, y = outline.T
        area = abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
        inside.append(Path(outline / np.sqrt(max(area, 0.2))).contains_points(points))
    return 1 - (inside[0] & inside[1]).sum() / (inside[0] | inside[1]).sum()


def test_many_families_of_shapes_are_among_the_new_ones():
    assert len({len(outline) for outline in APPEARANCES["shape"]}) > 8


def test_new_textures_leave_most_of_the_colour_and_are_no_known_one():
    for texture in APPEARANCES["texture"]:
        face = texture(*GRID)
        assert face.dtype == bool
        assert 0.05 < face.mean() < 0.7
        for name in scene_textures.BASIC:
            for seed in range(6):
                known = scene_textures.vary(name, np.random.default_rng(seed))(*GRID)
                assert (known != face).mean() > 0.08, name
    assert len({texture(*GRID).tobytes() for texture in APPEARANCES["texture"]}) == len(APPEARANCES["texture"])


def test_textures_of_many_kinds_are_among_the_new_ones():
    assert len(Counter(texture.func for texture in APPEARANCES["texture"])) > 8
