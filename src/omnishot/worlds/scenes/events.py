"""Sentences about clips: what moves where, bounces or appears, and how that sounds."""

from __future__ import annotations

import numpy as np

from omnishot.worlds.scenes.layout import Thing
from omnishot.worlds.scenes.motion import Clip, Motion
from omnishot.worlds.scenes.sentences import choice, told

_GOES = ("moves", "goes", "slides")
_TO = {
    "left": ("left", "to the left"),
    "right": ("right", "to the right"),
    "up": ("up", "upwards"),
    "down": ("down", "downwards"),
}
_BOUNCES = ("bounces", "bounces off the wall", "bounces back")
_STAYS = ("stays still", "does not move", "stands still")
_APPEARS = ("appears", "pops up")
_TONES = {"big": ("a low tone", "a deep beep"), "small": ("a high tone", "a high beep")}
_CHIRPS = ("a chirp", "a rising sound")
#: The words of these sentences.
VOCABULARY = frozenset(
    " ".join(
        [
            *(*_GOES, *_BOUNCES, *_STAYS, *_APPEARS, *_CHIRPS, *(w for ways in _TO.values() for w in ways)),
            *(w for ways in _TONES.values() for w in ways),
            "a an and with while then is heard as it when there",
        ]
    ).split()
)


def _does(thing: Thing, motion: Motion, rng: np.random.Generator, sounds: float = 0.4) -> str:
    """What the thing does: appears, moves, bounces or nothing, maybe with the sound of it."""
    parts = []
    if motion.appears and (motion.direction == "still" or rng.random() < 0.7):
        heard = f" with {choice(rng, _CHIRPS)}" if rng.random() < sounds else ""
        parts.append(choice(rng, _APPEARS) + heard)
    if motion.direction != "still":
        parts.append(f"{choice(rng, _GOES)} {choice(rng, _TO[motion.direction])}")
    if motion.bounces:
        heard = f" with {choice(rng, _TONES[thing.size])}" if rng.random() < sounds else ""
        parts.append(choice(rng, _BOUNCES) + heard)
    return choice(rng, (" and ", " and then ")).join(parts) if parts else choice(rng, _STAYS)


def _sentence(clip: Clip, rng: np.random.Generator) -> str:
    pairs = list(zip(clip.scene.things, clip.motions, strict=True))
    thing, motion = pairs[0]
    form = int(rng.integers(4))
    if form == 0 and motion.bounces:
        return f"{choice(rng, _TONES[thing.size])} is heard {choice(rng, ('as', 'when'))} {told(thing, rng)} bounces"
    if form == 1 and motion.appears:
        return f"there is {choice(rng, _CHIRPS)} {choice(rng, ('as', 'when'))} {told(thing, rng)} appears"
    if form <= 2 and len(pairs) > 1:
        said = [f"{told(t, rng)} {_does(t, m, rng, 0.2)}" for t, m in pairs]
        return choice(rng, (" while ", " and ")).join(said if rng.random() < 0.65 else said[::-1])
    return f"{told(thing, rng)} {_does(thing, motion, rng)}"


def sentences(clip: Clip, count: int, rng: np.random.Generator) -> list[str]:
    """`count` different sentences about what happens; each mentions the first thing by its new word."""
    said: dict[str, None] = {}
    while len(said) < count:
        said[_sentence(clip, rng)] = None
    return list(said)
