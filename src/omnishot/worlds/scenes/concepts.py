"""The new concept of a task of the world `scenes`: an invented word, and the colour, shape or texture it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from omnishot.worlds.scenes import colours as scene_colours
from omnishot.worlds.scenes import shapes as scene_shapes
from omnishot.worlds.scenes import textures as scene_textures
from omnishot.worlds.scenes.vocabulary import KINDS, invent

INVENT: dict[str, Callable[[list[Any], np.random.Generator], Any]] = {
    "colour": scene_colours.invent,
    "shape": scene_shapes.invent,
    "texture": scene_textures.invent,
}
PARTS = ("val", "test", "test", *("train",) * 7)  # the concepts of a kind take these splits in turn


@dataclass(frozen=True)
class Concept:
    """A new word to be learned, and its meaning.

    Args:
        word: its invented name.
        kind: what it names: colour, shape or texture.
        appearance: the OKLab colour `[3]`, the outline `[points, 2]` or the texture function itself.
        split: the part of the table that holds it.
    """

    word: str
    kind: str
    appearance: Any
    split: str


def concepts(count: int, seed: int) -> list[Concept]:
    """`count` concepts, kinds in turn. The first ones do not depend on `count`."""
    words = invent(count, np.random.default_rng([seed, 0]))
    taken: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    made = []
    for number, word in enumerate(words):
        turn, kind = divmod(number, len(KINDS))
        appearance = INVENT[KINDS[kind]](taken[KINDS[kind]], np.random.default_rng([seed, 1, number]))
        taken[KINDS[kind]].append(appearance)
        made.append(Concept(word, KINDS[kind], appearance, PARTS[turn % len(PARTS)]))
    return made
