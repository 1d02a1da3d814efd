"""What is new in a task of the world `scenes`: an invented word and the colour, shape or texture that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from omnishot.worlds.scenes import colours as scene_colours
from omnishot.worlds.scenes import shapes as scene_shapes
from omnishot.worlds.scenes import textures as scene_textures
from omnishot.worlds.scenes.words import KINDS, invent

INVENT: dict[str, Callable[[list[Any], np.random.Generator], Any]] = {
    "colour": scene_colours.invent,
    "shape": scene_shapes.invent,
    "texture": scene_textures.invent,
}
PARTS = ("val", "test", "test", *("train",) * 7)  # dealt in turn to the concepts of a kind


@dataclass(frozen=True)
class Concept:
    """A new thing to be learned.

    Args:
        word: its invented name.
        kind: what it is: colour, shape or texture.
        look: the OKLab colour `[3]`, the outline `[points, 2]` or the texture function itself.
        split: the part of the table that knows it.
    """

    word: str
    kind: str
    look: Any
    split: str


def concepts(count: int, seed: int) -> list[Concept]:
    """`count` concepts, kinds in turn. More of them leave those before as they are."""
    words = invent(count, np.random.default_rng([seed, 0]))
    taken: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    found = []
    for number, word in enumerate(words):
        turn, kind = divmod(number, len(KINDS))
        look = INVENT[KINDS[kind]](taken[KINDS[kind]], np.random.default_rng([seed, 1, number]))
        taken[KINDS[kind]].append(look)
        found.append(Concept(word, KINDS[kind], look, PARTS[turn % len(PARTS)]))
    return found
