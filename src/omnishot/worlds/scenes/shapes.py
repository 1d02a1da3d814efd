"""Shapes of the world `scenes`: outlines `[points, 2]` of about unit size, x to the right and y downwards."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

APART = 0.24  # least share of their joint area in which a new shape differs from a basic one, however turned
TURN = 14.0  # degrees that a shape may be turned either way
_POINTS = 72
_MASK = 32  # pixels of the side on which shapes are compared

Outline = np.ndarray


def _polar(radius: np.ndarray, start: float = -90.0) -> Outline:
    """Points at these distances from the centre, evenly around it, beginning at the top."""
    angle = np.deg2rad(start) + np.arange(len(radius)) * 2 * np.pi / len(radius)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _angles() -> np.ndarray:
    return np.arange(_POINTS) * 2 * np.pi / _POINTS


def _star(points: int, inner: float) -> Outline:
    return _polar(np.tile([1, inner], points))


def _heart() -> Outline:
    t = _angles()
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y + 2], 1) / 16


def _cross(arm: float) -> Outline:
    corner = [(-arm, -1), (arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm)]
    return np.array([*corner, (arm, 1), (-arm, 1), (-arm, arm), (-1, arm), (-1, -arm), (-arm, -arm)], float)


def _crescent() -> Outline:
    outer = np.linspace(0.25 * np.pi, 1.75 * np.pi, 40)
    rim = np.stack([np.cos(outer), np.sin(outer)], 1)
    tip = rim[-1]
    inner = np.linspace(-0.36 * np.pi, 0.36 * np.pi, 24)  # bulges to the left between the two tips
    bite = np.stack([-np.cos(inner), np.sin(inner)], 1)
    bite = (bite - bite[[0, -1]].mean(0)) * (tip[1] / bite[0, 1])
    return np.concatenate([rim, bite + tip * (1, 0)]) + np.array([0.25, 0])


#: The shapes whose names are known.
BASIC: dict[str, Outline] = {
    "circle": _polar(np.ones(_POINTS)),
    "square": np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float),
    "triangle": _polar(np.ones(3)),
    "star": _star(5, 0.42),
    "heart": _heart(),
    "diamond": np.array([(0, -1), (0.6, 0), (0, 1), (-0.6, 0)], float),
    "cross": _cross(0.33),
    "moon": _crescent(),
}


def _new_star(rng: np.random.Generator) -> Outline:
    return _star(int(rng.choice([3, 4, 6, 7, 8])), rng.uniform(0.25, 0.6))


def _new_gear(rng: np.random.Generator) -> Outline:
    teeth, depth, width = int(rng.integers(4, 9)), rng.uniform(0.25, 0.5), rng.uniform(0.3, 0.7)
    return _polar(np.where((np.arange(20 * teeth) / 20) % 1 < width, 1, 1 - depth))


def _new_flower(rng: np.random.Generator) -> Outline:
    petals, depth = int(rng.integers(3, 8)), rng.uniform(0.18, 0.38)
    return _polar(1 + depth * np.cos(petals * _angles()) + rng.choice([0, 0.12]) * np.cos(2 * petals * _angles()))


def _new_superellipse(rng: np.random.Generator) -> Outline:
    power, slim = rng.choice([0.45, 0.6, 2, 5]), rng.uniform(0.3, 0.5)
    wide = slim if power >= 2 else rng.uniform(0.5, 1)
    c, s = np.cos(_angles()), np.sin(_angles())
    return np.stack([np.sign(c) * np.abs(c) ** (2 / power), wide * np.sign(s) * np.abs(s) ** (2 / power)], 1)[
        :, :: rng.choice([-1, 1])
    ]


def _new_blob(rng: np.random.Generator) -> Outline:
    t, radius = _angles(), np.ones(_POINTS)
    for wave in (2, 3, 4, 5):
        radius += rng.uniform(0.02, 0.34) / np.sqrt(wave - 1) * np.cos(wave * t + rng.uniform(0, 2 * np.pi))
    return _polar(np.maximum(radius, 0.2))


def _new_polygon(rng: np.random.Generator) -> Outline:
    return _polar(rng.uniform(0.3, 1, int(rng.integers(5, 9))), rng.uniform(0, 360))


def _new_wedge(rng: np.random.Generator) -> Outline:
    gap = np.deg2rad(rng.uniform(60, 220))
    arc = np.linspace(gap / 2, 2 * np.pi - gap / 2, 40) + rng.choice(4) * np.pi / 2
    return np.concatenate([np.stack([np.cos(arc), np.sin(arc)], 1), np.zeros((1, 2))])


def _new_tiles(rng: np.random.Generator) -> Outline:
    """A letter-like piece: bars of a grid of 3 x 3, one above the other, each next to the last."""
    rows = [(-1.0, 1 / 3)]
    while len({(a, b) for a, b in rows}) < 2:
        lefts, widths = rng.integers(0, 3, 3), rng.integers(1, 4, 3)
        rows = [(-1 + 2 * a / 3, -1 + 2 * min(3, a + w) / 3) for a, w in zip(lefts, widths, strict=True)]
        if any(min(p[1], q[1]) - max(p[0], q[0]) < 0.6 for p, q in itertools.pairwise(rows)):
            rows = rows[:1]
    y = np.linspace(-1, 1, 4)
    right = [(b, y[i + k]) for i, (_, b) in enumerate(rows) for k in (0, 1)]
    left = [(a, y[i + k]) for i, (a, _) in reversed(list(enumerate(rows))) for k in (1, 0)]
    return np.array(right + left)


def _new_arrow(rng: np.random.Generator) -> Outline:
    neck, stem, tail = rng.uniform(-0.4, 0.4), rng.uniform(0.18, 0.5), rng.uniform(0.1, 0.9)
    half = [(0, -1), (1, neck), (stem, neck), (tail, 1)]
    outline = np.array(half + [(-x, y) for x, y in reversed(half[1:])])
    return outline[:, :: rng.choice([-1, 1])] * rng.choice([-1, 1])


FAMILIES: tuple[Callable[[np.random.Generator], Outline], ...] = (
    *(_new_star, _new_gear, _new_flower, _new_superellipse, _new_blob, _new_polygon, _new_wedge, _new_tiles),
    _new_arrow,
)


def settle(outline: Outline) -> Outline:
    """`outline` centred on the middle of its extent and scaled so that its farthest point is 1 away."""
    outline = outline - (outline.min(0) + outline.max(0)) / 2
    return outline / np.hypot(*outline.T).max()


def turned(outline: Outline, degrees: float) -> Outline:
    """`outline` turned clockwise."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return outline @ np.array([[c, s], [-s, c]])


def _mask(outline: Outline) -> np.ndarray:
    """The filled shape, bool `[pixels]`, stretched to unit area so that only its form counts."""
    x, y = outline.T
    area = abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
    image = Image.new("1", (_MASK, _MASK))
    points = outline * (_MASK * 0.5 / max(area, 0.2) ** 0.5) + _MASK / 2
    ImageDraw.Draw(image).polygon([tuple(p) for p in points], fill=1)
    return np.asarray(image).ravel()


def differ(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The fraction of their joint area that only one of two masks `[..., pixels]` covers: `[...]`."""
    return 1 - (one & other).sum(-1) / np.maximum((one | other).sum(-1), 1)


@functools.cache
def _basic() -> np.ndarray:
    """The basic shapes in every rotation, bool `[shapes x turns, pixels]`: a rotated basic shape is not a new shape."""
    return np.stack([_mask(turned(settle(o), angle)) for o in BASIC.values() for angle in range(0, 360, 12)])


def invent(taken: list[Outline], rng: np.random.Generator, candidates: int = 6) -> Outline:
    """A new shape unlike the basic ones: of a few candidates, the one that differs most from those `taken` already."""
    others = np.stack([_mask(outline) for outline in taken]) if taken else None
    best, gap = np.empty((0, 2)), -1.0
    while candidates:
        outline = settle(FAMILIES[rng.integers(len(FAMILIES))](rng))
        mask = _mask(outline)
        if differ(_basic(), mask).min() < APART:
            continue
        candidates -= 1
        here = 0.0 if others is None else float(differ(others, mask).min())
        if here > gap:
            best, gap = outline, here
    return best
