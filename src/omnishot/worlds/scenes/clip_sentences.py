"""Sentences about clips: which things move, bounce or appear, and the sounds of that."""

from __future__ import annotations

import numpy as np

from omnishot.worlds.scenes.layout import Thing
from omnishot.worlds.scenes.motion import Clip, Motion
from omnishot.worlds.scenes.sentences import choice, describe

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


def _predicate(thing: Thing, motion: Motion, rng: np.random.Generator, sounds: float = 0.4) -> str:
    """A predicate for the thing: it appears, moves, bounces or stays, perhaps with the sound of that."""
    parts = []
    if motion.appears and (motion.direction == "still" or rng.random() < 0.7):
        sound = f" with {choice(rng, _CHIRPS)}" if rng.random() < sounds else ""
        parts.append(choice(rng, _APPEARS) + sound)
    if motion.direction != "still":
        parts.append(f"{choice(rng, _GOES)} {choice(rng, _TO[motion.direction])}")
    if motion.bounces:
        sound = f" with {choice(rng, _TONES[thing.size])}" if rng.random() < sounds else ""
        parts.append(choice(rng, _BOUNCES) + sound)
    return choice(rng, (" and ", " and then ")).join(parts) if parts else choice(rng, _STAYS)


def _sentence(clip: Clip, rng: np.random.Generator) -> str:
    pairs = list(zip(clip.scene.things, clip.motions, strict=True))
    thing, motion = pairs[0]
    form = int(rng.integers(4))
    if form == 0 and motion.bounces:
        return (
            f"{choice(rng, _TONES[thing.size])} is heard {choice(rng, ('as', 'when'))} {describe(thing, rng)} bounces"
        )
    if form == 1 and motion.appears:
        return f"there is {choice(rng, _CHIRPS)} {choice(rng, ('as', 'when'))} {describe(thing, rng)} appears"
    if form <= 2 and len(pairs) > 1:
        clauses = [f"{describe(t, rng)} {_predicate(t, m, rng, 0.2)}" for t, m in pairs]
        return choice(rng, (" while ", " and ")).join(clauses if rng.random() < 0.65 else clauses[::-1])
    return f"{describe(thing, rng)} {_predicate(thing, motion, rng)}"


def sentences(clip: Clip, count: int, rng: np.random.Generator) -> list[str]:
    """`count` different sentences about a clip; each mentions the first thing by its new word."""
    distinct: dict[str, None] = {}
    while len(distinct) < count:
        distinct[_sentence(clip, rng)] = None
    return list(distinct)
