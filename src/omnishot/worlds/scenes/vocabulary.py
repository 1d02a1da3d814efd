"""The vocabulary of the world `scenes`: known values, phrases for them, and invented words for new concepts."""

from __future__ import annotations

import difflib

import numpy as np

#: Kinds of attributes that a task's new word may name.
KINDS = ("colour", "shape", "texture")

# Value -> phrases for it; the first is the value itself.
Ways = dict[str, tuple[str, ...]]

COLOURS: Ways = {name: (name,) for name in ("red", "orange", "yellow", "green", "blue", "pink", "brown")}
COLOURS |= {"purple": ("purple", "violet")}
SHAPES: Ways = {name: (name,) for name in ("square", "triangle", "star", "heart", "diamond")}
SHAPES |= {"circle": ("circle", "disc"), "cross": ("cross", "plus"), "moon": ("moon", "crescent")}
SIZES: Ways = {"big": ("big", "large"), "small": ("small", "little")}
TEXTURES: Ways = {
    "plain": ("plain",),
    "striped": ("striped", "stripy"),
    "dotted": ("dotted", "spotted"),
    "checked": ("checked", "checkered"),
}
#: What may follow the noun instead of the word before it.
ENDINGS: Ways = {"striped": ("stripes",), "dotted": ("dots", "spots"), "checked": ("checks",)}
#: Attribute -> its known values and phrases for them.
KNOWN: dict[str, Ways] = {"colour": COLOURS, "shape": SHAPES, "texture": TEXTURES, "size": SIZES}
NOUNS = ("thing", "shape")  # of whatever shape

RELATIONS: Ways = {
    "above": ("above", "over"),
    "below": ("below", "under", "beneath"),
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "beside": ("next to", "beside"),
}
PLACES: Ways = {
    "left": ("on the left", "on the left side"),
    "right": ("on the right", "on the right side"),
    "top": ("at the top", "near the top"),
    "bottom": ("at the bottom", "near the bottom"),
    "middle": ("in the middle", "in the centre"),
    "top left": ("in the top left corner", "at the top left"),
    "top right": ("in the top right corner", "at the top right"),
    "bottom left": ("in the bottom left corner", "at the bottom left"),
    "bottom right": ("in the bottom right corner", "at the bottom right"),
}
GROUNDS: Ways = {
    "light": ("on a light background", "on a bright background"),
    "dark": ("on a dark background",),
}
NUMBERS = ("zero", "one", "two", "three")

_FUNCTION = (
    *("a", "an", "the", "and", "with", "it", "is", "are", "there", "here", "i", "you", "can", "do", "does", "see"),
    *("picture", "pattern", "of", "in", "one", "them", "sits", "things", "shapes", "how", "many", "besides"),
    *("what", "where", "colour", "have", "bigger", "smaller", "than", "or", "yes", "no"),
)


def _all_words() -> frozenset[str]:
    tables = (*KNOWN.values(), ENDINGS, RELATIONS, PLACES, GROUNDS)
    phrases = [phrase for table in tables for ways in table.values() for phrase in ways]
    words = (*NOUNS, *NUMBERS, *_FUNCTION, *" ".join(phrases).split())
    return frozenset(words)


#: Every word that sentences and questions are made of, but for the invented ones.
VOCABULARY = _all_words()

_ONSETS = (*"bdfgklmnprstvwz", *("bl", "dr", "fl", "gl", "kr", "pl", "sk", "sn", "tr", "zw", "fr", "gr"))
_MIDDLES = (*"bdgklmnprtvz", *("nd", "lk", "mp", "rt", "nk", "lv", "zm"))
_CODAS = (*"bdgklmnprtxz", *("", "", "", "sh", "ff", "ck"))
_RUDE = ("nig", "fag", "kok", "dik", "tit", "pis", "kun", "rap", "fuk", "poo", "nazi", "slut", "kum")


def invent(count: int, rng: np.random.Generator) -> list[str]:
    """`count` different pronounceable words that neither are nor resemble words of `VOCABULARY`."""
    words: dict[str, None] = {}
    while len(words) < count:
        onset, middle, coda = (str(rng.choice(part)) for part in (_ONSETS, _MIDDLES, _CODAS))
        first, second = (str(rng.choice(list("aeiou"))) for _ in range(2))
        word = onset + first + middle + second + coda
        close = difflib.get_close_matches(word, VOCABULARY, n=1, cutoff=0.75)
        if not close and not any(part in word for part in _RUDE):
            words[word] = None
    return list(words)
