"""Textures of the world `scenes`: where on a thing the second ink lies, in coordinates of the thing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

Texture = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From u, v (-1...1 across the thing) to bool of the same shape: the second ink."""


def _tilt(u: np.ndarray, v: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return c * u + s * v, c * v - s * u


def _plain(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.zeros(u.shape, bool)


def _stripes(u: np.ndarray, v: np.ndarray, *, turn: float = 0.0, bands: float = 3.0, width: float = 0.42) -> np.ndarray:
    return (_tilt(u, v, turn)[0] * bands / 2 + width / 2) % 1 < width


def _dots(u: np.ndarray, v: np.ndarray, *, turn: float = 0.0, count: float = 3.2, width: float = 0.3) -> np.ndarray:
    a, b = (((c * count / 2 + 0.5) % 1) - 0.5 for c in _tilt(u, v, turn))
    return a**2 + b**2 < width**2


def _checks(u: np.ndarray, v: np.ndarray, *, turn: float = 0.0, count: float = 2.2) -> np.ndarray:
    a, b = _tilt(u, v, turn)
    return (np.floor(a * count) + np.floor(b * count)) % 2 == 0


def _rings(u: np.ndarray, v: np.ndarray, *, bands: float, width: float, x: float, y: float) -> np.ndarray:
    return (np.hypot(u - x, v - y) * bands) % 1 < width


def _spokes(u: np.ndarray, v: np.ndarray, *, count: int, width: float, twist: float) -> np.ndarray:
    angle = np.arctan2(v, u) / (2 * np.pi) + twist * np.hypot(u, v)
    return (angle * count) % 1 < width


def _zigzag(u: np.ndarray, v: np.ndarray, *, turn: float, bands: float, steep: float, round_: bool) -> np.ndarray:
    a, b = _tilt(u, v, turn)
    wave = 0.25 * np.sin(2 * np.pi * b * steep) if round_ else np.abs((b * steep) % 1 - 0.5)
    return (a * bands / 2 + wave) % 1 < 0.42


def _grid(u: np.ndarray, v: np.ndarray, *, turn: float, count: float, width: float) -> np.ndarray:
    a, b = _tilt(u, v, turn)
    return ((a * count / 2) % 1 < width) | ((b * count / 2) % 1 < width)


def _bricks(u: np.ndarray, v: np.ndarray, *, turn: float, count: float) -> np.ndarray:
    a, b = _tilt(u, v, turn)
    row = np.floor(b * count)
    return ((b * count) % 1 < 0.25) | ((a * count / 2 + row / 2) % 1 < 0.14)


def _pluses(u: np.ndarray, v: np.ndarray, *, turn: float, count: float, arm: float) -> np.ndarray:
    a, b = (((c * count / 2 + 0.5) % 1) - 0.5 for c in _tilt(u, v, turn))
    near, far = np.minimum(abs(a), abs(b)), np.maximum(abs(a), abs(b))
    return (near < 0.13) & (far < arm)


def _half(u: np.ndarray, v: np.ndarray, *, turn: float, cut: float) -> np.ndarray:
    return _tilt(u, v, turn)[0] > cut


def _band(u: np.ndarray, v: np.ndarray, *, turn: float, width: float, crossed: bool) -> np.ndarray:
    a, b = _tilt(u, v, turn)
    return (np.abs(a) < width) | (crossed & (np.abs(b) < width))


def _core(u: np.ndarray, v: np.ndarray, *, inner: float, outer: float, square: bool) -> np.ndarray:
    far = np.maximum(np.abs(u), np.abs(v)) if square else np.hypot(u, v)
    return (far >= inner) & (far < outer)


def _triangles(u: np.ndarray, v: np.ndarray, *, turn: float, count: float) -> np.ndarray:
    a, b = _tilt(u, v, turn)
    row = b * count
    return np.abs((a * count + 0.5 * np.floor(row)) % 1 - 0.5) < 0.5 * (row % 1)


def _quarters(u: np.ndarray, v: np.ndarray, *, turn: float, of: Texture) -> np.ndarray:
    a, b = _tilt(u, v, turn)
    return of(u, v) & (a * b > 0)


def _halved(u: np.ndarray, v: np.ndarray, *, turn: float, of: Texture) -> np.ndarray:
    return of(u, v) & (_tilt(u, v, turn)[0] > 0)


#: The textures whose names are known.
BASIC: Mapping[str, Texture] = {"plain": _plain, "striped": _stripes, "dotted": _dots, "checked": _checks}


def vary(name: str, rng: np.random.Generator) -> Texture:
    """The known texture `name` with random parameters: stripes in any direction, dots of any density."""
    grow = rng.uniform(0.85, 1.2)
    match name:
        case "striped":
            return partial(_stripes, turn=rng.choice([0, 45, 90, 135]), bands=3.2 * grow, width=rng.uniform(0.36, 0.5))
        case "dotted":
            return partial(_dots, turn=rng.choice([0, 45]), count=3.2 * grow, width=rng.uniform(0.26, 0.33))
        case "checked":
            return partial(_checks, turn=rng.choice([0, 45]), count=2.2 * grow)
    return BASIC[name]


def _simple(rng: np.random.Generator) -> Texture:
    """A texture of a random family with random parameters, different from every known one."""
    turn = float(rng.choice([0, 45, 90, 135]))
    match int(rng.integers(11)):
        case 0:
            x, y = rng.choice([(0, 0), (0, 0), (-0.8, 0), (0, 0.8), (0.7, -0.7)])
            return partial(_rings, bands=rng.uniform(1.6, 2.6), width=rng.uniform(0.35, 0.6), x=x, y=y)
        case 1:
            return partial(_spokes, count=int(rng.integers(3, 8)), width=rng.uniform(0.35, 0.6), twist=0.0)
        case 2:
            twist = float(rng.choice([-1, 1])) * rng.uniform(0.35, 0.9)
            return partial(_spokes, count=int(rng.integers(1, 5)), width=rng.uniform(0.35, 0.6), twist=twist)
        case 3:
            steep, round_ = rng.uniform(0.9, 1.6), bool(rng.integers(2))
            return partial(_zigzag, turn=turn, bands=rng.uniform(2, 3), steep=steep, round_=round_)
        case 4:
            return partial(_grid, turn=turn % 90, count=rng.uniform(2.6, 4.2), width=rng.uniform(0.22, 0.34))
        case 5:
            return partial(_bricks, turn=turn % 180, count=rng.uniform(1.8, 2.6))
        case 6:
            return partial(_pluses, turn=turn % 90, count=rng.uniform(1.6, 2.6), arm=rng.uniform(0.36, 0.45))
        case 7:
            return partial(_half, turn=2 * turn + 90 * rng.integers(2), cut=rng.uniform(-0.15, 0.25))
        case 8:
            return partial(_band, turn=turn, width=rng.uniform(0.16, 0.3), crossed=bool(rng.integers(2)))
        case 9:
            inner = float(rng.choice([0, 0, 0.3, 0.45]))
            return partial(_core, inner=inner, outer=inner + rng.uniform(0.25, 0.45), square=bool(rng.integers(2)))
        case _:
            return partial(_triangles, turn=turn, count=rng.uniform(1.4, 2.3))


def _compound(rng: np.random.Generator) -> Texture:
    of = _simple(rng) if rng.random() < 0.5 else vary(str(rng.choice(["striped", "dotted", "checked"])), rng)
    part = (_quarters, _halved)[rng.integers(2)]
    return partial(part, turn=float(rng.choice([0, 45, 90, 180, 270])), of=of)


_AXIS = np.linspace(-0.8, 0.8, 24)
_U, _V = np.meshgrid(_AXIS, _AXIS)
APART = 0.16  # least fraction of a thing's face on which a new texture differs from a known one
INKED = (0.15, 0.6)  # fraction of the face that a new texture may ink, so that the colour stays plain to see


def _face(texture: Texture) -> np.ndarray:
    return texture(_U, _V)


def _known() -> np.ndarray:
    turns = (0, 45, 90, 135)
    faces = [_face(partial(_stripes, turn=turn, bands=bands)) for turn in turns for bands in (2.8, 3.2, 3.7)]
    faces += [_face(partial(_dots, turn=turn, count=count)) for turn in (0, 45) for count in (2.8, 3.2, 3.7)]
    faces += [_face(partial(_checks, turn=turn, count=count)) for turn in (0, 45) for count in (1.9, 2.2, 2.6)]
    return np.stack([*faces, _face(_plain)])


def invent(taken: list[Texture], rng: np.random.Generator, candidates: int = 8) -> Texture:
    """A new texture unlike the known ones: of a few candidates, the one that differs most from those `taken`."""
    known, others = _known(), np.stack([_face(texture) for texture in taken]) if taken else None
    best, gap = BASIC["plain"], -1.0
    while candidates:
        texture = _compound(rng) if rng.random() < 0.3 else _simple(rng)
        face = _face(texture)
        if not INKED[0] < face.mean() < INKED[1] or (known != face).mean((1, 2)).min() < APART:
            continue
        candidates -= 1
        here = 0.0 if others is None else float((others != face).mean((1, 2)).min())
        if here > gap:
            best, gap = texture, here
    return best
