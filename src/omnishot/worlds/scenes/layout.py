"""Scenes of the world `scenes`: their things, the places of the things, and their relations."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from omnishot.worlds.scenes.concepts import Concept
from omnishot.worlds.scenes.vocabulary import COLOURS, SHAPES, TEXTURES

COUNTS = (0.2, 0.45, 0.35)  # fraction of scenes with one, two, three things
MOST = len(COUNTS)
RADII = {"small": (0.145, 0.17), "big": (0.21, 0.245)}  # of a picture's side
PLAIN = 0.4  # fraction of things without a texture
NEAR, FAR = 0.4, 0.6  # what is left of NEAR is at the left, what is right of FAR at the right
TRIES = 20  # of placing things before others are drawn
CLEAR = 0.12  # least difference along the axis of a relation


@dataclass(frozen=True)
class Thing:
    """A shape in a scene; positions and radius as fractions of the picture's side, y downwards."""

    colour: str
    shape: str
    texture: str
    size: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Scene:
    """Things before a background; the first is the one that has the task's new concept, if any has."""

    things: tuple[Thing, ...]
    ground: str

    def to_json(self) -> str:
        """Compact JSON, from which `from_json` makes the same scene again."""
        return json.dumps({"ground": self.ground, "things": [asdict(t) for t in self.things]}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Scene:
        """The scene that `to_json` described."""
        content = json.loads(text)
        return cls(tuple(Thing(**thing) for thing in content["things"]), content["ground"])


def place(thing: Thing) -> str:
    """Where the thing is: `top left`, `top`, `middle`, ..., one of nine."""
    across = "left" if thing.x < NEAR else "right" if thing.x > FAR else ""
    down = "top" if thing.y < NEAR else "bottom" if thing.y > FAR else ""
    return f"{down} {across}".strip() or "middle"


def is_at(thing: Thing, where: str) -> bool:
    """Whether the thing is there: what is at the top left is also at the top and at the left."""
    return place(thing) == where if where == "middle" else set(where.split()) <= set(place(thing).split())


def is_related(one: Thing, relation: str, other: Thing) -> bool:
    """Whether `one` is above, below, left (of), right (of) or beside `other`: clearly, and more so than otherwise."""
    right, down = one.x - other.x, one.y - other.y
    if abs(right) > abs(down):
        return abs(right) >= CLEAR and relation in ("beside", "right" if right > 0 else "left")
    return abs(down) >= CLEAR and relation == ("below" if down > 0 else "above")


def _pick(rng: np.random.Generator, values: dict[str, tuple[str, ...]]) -> str:
    return list(values)[rng.integers(len(values))]


def draw_thing(rng: np.random.Generator) -> Thing:
    """A random thing with known attributes, in the middle."""
    texture = "plain" if rng.random() < PLAIN else list(TEXTURES)[rng.integers(1, len(TEXTURES))]
    size = ("small", "big")[rng.integers(2)]
    radius = round(rng.uniform(*RADII[size]), 3)
    return Thing(_pick(rng, COLOURS), _pick(rng, SHAPES), texture, size, 0.5, 0.5, radius)


def _apart(things: Sequence[Thing]) -> bool:
    """Whether none covers part of another."""
    pairs = itertools.combinations(things, 2)
    return all((a.x - b.x) ** 2 + (a.y - b.y) ** 2 > (a.radius + b.radius + 0.01) ** 2 for a, b in pairs)


def _laid_out(things: Sequence[Thing], rng: np.random.Generator) -> tuple[Thing, ...]:
    """The things at random places apart from each other, or () if no such places came up: too large for one picture."""
    for _ in range(TRIES):
        spots = [rng.uniform(thing.radius + 0.02, 0.98 - thing.radius, 2).round(3).tolist() for thing in things]
        placed = tuple(replace(thing, x=x, y=y) for thing, (x, y) in zip(things, spots, strict=True))
        if _apart(placed):
            return placed
    return ()


def draw_scene(concept: Concept | None, rng: np.random.Generator, *, most: int = MOST) -> Scene:
    """A random scene of `most` things (1 to 3) or fewer, no two alike in colour and shape.

    The first thing has the concept, unless that is None.
    """
    count = 1 + int(rng.choice(most, p=np.array(COUNTS[:most]) / sum(COUNTS[:most])))
    placed: tuple[Thing, ...] = ()
    while not placed:
        things = [draw_thing(rng) for _ in range(count)]
        if concept is not None:
            things[0] = Thing(**(asdict(things[0]) | {concept.kind: concept.word}))
        if len({(thing.colour, thing.shape) for thing in things}) == count:
            placed = _laid_out(things, rng)
    return Scene(placed, ("light", "dark")[rng.integers(2)])
