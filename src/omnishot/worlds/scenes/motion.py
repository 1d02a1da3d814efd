"""Clips of two seconds: which things of a scene move, bounce off a wall or appear, and the sounds of that."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

import numpy as np

from omnishot.worlds.scenes.concepts import Concept
from omnishot.worlds.scenes.layout import MOST, Scene, Thing, draw_scene

SECONDS = 2.0
RATE = 8000  # Hz of the sound
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1), "still": (0, 0)}
BOUNCING, APPEARING = 0.5, 0.25  # fractions of moving things that reach a wall, of things that appear later
LEAST = 0.18  # of the picture's side, that a moving thing goes at least
PITCHES = {"big": 240.0, "small": 720.0}  # Hz of the tone when it bounces
CHIRP = (500.0, 1500.0)  # Hz at the beginning and end of the sound when something appears


@dataclass(frozen=True)
class Motion:
    """How a thing moves.

    Args:
        direction: of `DIRECTIONS`.
        speed: fractions of the picture's side per second.
        appears: seconds before it is there, 0 if from the beginning; it moves from then on.
        bounces: seconds until it reaches the wall, 0 if never.
    """

    direction: str
    speed: float
    appears: float
    bounces: float


@dataclass(frozen=True)
class Clip:
    """A scene, with things where they begin, and how each of them moves."""

    scene: Scene
    motions: tuple[Motion, ...]

    def to_json(self) -> str:
        """The scene's JSON, with the motions."""
        content = json.loads(self.scene.to_json()) | {"motions": [asdict(motion) for motion in self.motions]}
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Clip:
        """The clip that `to_json` described."""
        content = json.loads(text)
        motions = tuple(Motion(**motion) for motion in content.pop("motions"))
        return cls(Scene.from_json(json.dumps(content)), motions)


def position(thing: Thing, motion: Motion, seconds: float) -> tuple[float, float]:
    """The centre of the thing at a time: after the wall it moves back the same way."""
    gone = max(0.0, seconds - motion.appears)
    if motion.bounces:
        gone = min(gone, 2 * (motion.bounces - motion.appears) - gone)
    right, down = DIRECTIONS[motion.direction]
    return thing.x + motion.speed * gone * right, thing.y + motion.speed * gone * down


def _room(thing: Thing, direction: str) -> float:
    """How far the thing can go until it touches the wall."""
    beyond = {"left": thing.x, "right": 1 - thing.x, "up": thing.y, "down": 1 - thing.y}
    return beyond[direction] - thing.radius


def _draw_motion(thing: Thing, moves: bool, rng: np.random.Generator) -> Motion:
    appears = round(rng.uniform(0.4, 0.9), 2) if rng.random() < APPEARING else 0.0
    ways = [way for way in DIRECTIONS if way != "still" and _room(thing, way) >= LEAST]
    if not moves or not ways:
        return Motion("still", 0.0, appears, 0.0)
    way, left = ways[rng.integers(len(ways))], SECONDS - appears
    room = _room(thing, way)
    if rng.random() < BOUNCING:
        # Not before half the time, or it would come back farther than where it began.
        wall = round(left * rng.uniform(0.5, 0.75), 2)
        return Motion(way, round(room / wall, 4), appears, round(appears + wall, 2))
    return Motion(way, round(rng.uniform(LEAST, room) / left, 4), appears, 0.0)


def _collide(scene: Scene, motions: tuple[Motion, ...]) -> bool:
    """Whether two things touch at any time."""
    if len(motions) < 2:
        return False
    reach = sum(thing.radius for thing in scene.things)
    paths = [
        np.array([position(thing, motion, t) for t in np.linspace(0, SECONDS, 41)])
        for thing, motion in zip(scene.things, motions, strict=True)
    ]
    return bool(np.hypot(*(paths[0] - paths[1]).T).min() < reach)


def draw_clip(concept: Concept, rng: np.random.Generator, *, most: int = MOST) -> Clip:
    """A random clip of one or two things, of which the first has the concept and moves or appears."""
    while True:
        scene = draw_scene(concept, rng, most=most)
        scene = replace(scene, things=scene.things[:2])
        moves = (True, bool(rng.random() < 0.4))
        motions = tuple(_draw_motion(t, m, rng) for t, m in zip(scene.things, moves, strict=False))
        happens = motions[0].direction != "still" or motions[0].appears > 0
        if happens and not _collide(scene, motions):
            return Clip(scene, motions)


def sound(clip: Clip, rng: np.random.Generator) -> np.ndarray:
    """The sound, a tone for every bounce and a chirp for every appearance, over noise: int16 `[n]` at `RATE`."""
    heard = rng.normal(0, rng.uniform(0.002, 0.012), int(SECONDS * RATE))
    for thing, motion in zip(clip.scene.things, clip.motions, strict=True):
        if motion.appears:
            _add(heard, motion.appears, _tone(np.linspace(*CHIRP, int(0.16 * RATE)) * rng.uniform(0.95, 1.05)))
        if motion.bounces:
            pitch = PITCHES[thing.size] * rng.uniform(0.9, 1.1)
            _add(heard, motion.bounces, _tone(np.full(int(0.2 * RATE), pitch)))
    return np.rint(np.clip(heard, -1, 1) * 32767).astype(np.int16)


def _tone(pitch: np.ndarray) -> np.ndarray:
    """A tone of `pitch [n]` Hz that fades."""
    fade = np.exp(-np.linspace(0, 4, len(pitch))) * np.minimum(1, np.arange(len(pitch)) / 40)
    return 0.4 * fade * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)


def _add(heard: np.ndarray, seconds: float, tone: np.ndarray) -> None:
    begin = int(seconds * RATE)
    part = heard[begin : begin + len(tone)]
    part += tone[: len(part)]
