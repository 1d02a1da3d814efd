"""Partial, noisy descriptions of letters: measured facts about shape and name, never the name itself."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]

from omnishot.worlds.glyphs.alphabets import Letter
from omnishot.worlds.glyphs.pictures import descent, faces_of, outline

KEPT = 0.6  # fraction of a letter's facts that a description mentions
WRONG = 0.1  # fraction of the mentioned facts that are wrong
TYPO = 0.05  # fraction of the words with a spelling mistake

# fact -> value -> phrases for it, in words that are hardly ever a letter's name.
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "case": {
        "capital": ("capital", "uppercase", "majuscule"),
        "small": ("lowercase", "minuscule", "small letter"),
        "uncased": ("caseless", "unicase script"),
    },
    "holes": {
        "0": ("open shape", "nothing enclosed", "without hole"),
        "1": ("one hole", "closed loop", "single eye"),
        "2": ("two holes", "double loop", "pair of eyes"),
        "3": ("many holes", "lattice", "several eyes"),
    },
    "parts": {
        "1": ("connected", "one piece"),
        "2": ("two pieces", "dotted", "detached mark"),
        "3": ("several pieces", "many dots"),
    },
    "width": {
        "narrow": ("narrow", "slim", "taller than wide"),
        "even": ("square", "even proportions"),
        "wide": ("wide", "broad", "wider than tall"),
    },
    "crossings across": {
        "1": ("single stem halfway", "level cut meets one stroke"),
        "2": ("two stems halfway", "level cut meets two strokes"),
        "3": ("three stems halfway", "level cut meets many strokes"),
    },
    "crossings down": {
        "1": ("single bar midway", "plumb line meets one stroke"),
        "2": ("two bars midway", "plumb line meets two strokes"),
        "3": ("three bars midway", "plumb line meets many strokes"),
    },
    "vertical weight": {
        "top": ("top heavy", "weight above"),
        "middle": ("balanced height",),
        "bottom": ("bottom heavy", "weight below"),
    },
    "lateral weight": {
        "left": ("leaning left", "left side inked"),
        "middle": ("centred",),
        "right": ("leaning right", "right side inked"),
    },
    "mirror": {
        "sides": ("mirrored sides", "left matches right"),
        "levels": ("top matches bottom", "mirrored levels"),
        "both": ("fully symmetric", "mirrored every way"),
        "neither": ("lopsided", "asymmetric"),
    },
    "strokes": {
        "straight": ("straight strokes", "angular", "ruled lines"),
        "mixed": ("lines with curves", "partly bent"),
        "curved": ("curvy", "rounded", "bowed strokes"),
    },
    "baseline": {
        "stands": ("stands above baseline", "rests level"),
        "descends": ("hangs below baseline", "descender", "has tail under"),
    },
    "starts": {
        "vowel": ("starts vocalic", "vowel first"),
        "stop": ("starts plosive", "stop first"),
        "fricative": ("starts hissing", "fricative first"),
        "nasal": ("starts nasal", "hum first"),
        "liquid": ("starts liquid", "glide first"),
    },
    "ends": {
        "vowel": ("ends vocalic", "vowel last"),
        "stop": ("ends plosive", "stop last"),
        "fricative": ("ends hissing", "fricative last"),
        "nasal": ("ends nasal", "hum last"),
        "liquid": ("ends liquid", "glide last"),
    },
    "length": {
        "short": ("brief name", "clipped sound"),
        "middling": ("name of middling length", "ordinary length"),
        "long": ("long name", "drawn out sound"),
    },
}
DISTRACTORS = (
    *(
        "old manuscript",
        "seen once",
        "printed",
        "copied twice",
        "common",
        "rare",
        "from notebook",
        "faded ink",
    ),
    *(
        "teacher wrote this",
        "uncertain reading",
        "page seven",
        "learned early",
        "handwritten note",
        "nice example",
    ),
)

_SOUNDS = dict.fromkeys("aeiou", "vowel") | dict.fromkeys("bdgkpqtcj", "stop") | dict.fromkeys("fhsvxz", "fricative")
_SOUNDS |= dict.fromkeys("mn", "nasal") | dict.fromkeys("lrwy", "liquid")


def _three(value: float, low: float, high: float, names: Sequence[str]) -> str:
    return names[int(value > low) + int(value > high)]


def _runs(line: np.ndarray) -> int:
    """The number of separate strokes that the boolean `line [n]` crosses."""
    return int(np.count_nonzero(np.diff(line.astype(int), prepend=0) == 1))


@functools.cache
def facts(letter: Letter) -> dict[str, str]:
    """The facts of `letter`: a value of every fact in `PHRASES`, shapes measured on its plainest face."""
    image = outline(letter.char, faces_of(letter.char)[0])
    canvas = np.asarray(image) > 127
    rows, columns = np.flatnonzero(canvas.any(1)), np.flatnonzero(canvas.any(0))
    ink = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = ink.shape
    down, across = np.nonzero(ink)
    flipped_sides, flipped_levels = (np.mean(ink == ink[:, ::-1]) > 0.85, np.mean(ink == ink[::-1]) > 0.85)
    steep = np.stack(np.gradient(ndimage.gaussian_filter(canvas.astype(float), 1.5)))
    strength = np.hypot(*steep)
    axial = float((strength * (np.abs(steep).min(0) < 0.15 * strength)).sum() / strength.sum())
    name = letter.name
    return {
        "case": letter.case,
        "holes": str(min(3, ndimage.label(~canvas)[1] - 1)),
        "parts": str(min(3, ndimage.label(canvas, np.ones((3, 3)))[1])),
        "width": _three(width / height, 0.72, 1.05, ("narrow", "even", "wide")),
        "crossings across": str(np.clip(_runs(ink[height // 2]), 1, 3)),
        "crossings down": str(np.clip(_runs(ink[:, width // 2]), 1, 3)),
        "vertical weight": _three(down.mean() / height, 0.46, 0.52, ("top", "middle", "bottom")),
        "lateral weight": _three(across.mean() / width, 0.45, 0.52, ("left", "middle", "right")),
        "mirror": ("neither", "sides", "levels", "both")[int(flipped_sides) + 2 * int(flipped_levels)],
        "strokes": _three(axial, 0.4, 0.6, ("curved", "mixed", "straight")),
        "baseline": "descends" if descent(letter.char) > 0.1 else "stands",
        "starts": _SOUNDS[name[0]],
        "ends": _SOUNDS[name[-1]],
        "length": _three(len(name), 2.5, 4.5, ("short", "middling", "long")),
    }


def reveals_name(word: str, letter: Letter) -> bool:
    """Whether `word` gives the name away: it is one of its words, or holds one of four letters or more."""
    return any(word == part or (len(part) >= 4 and part in word) for part in letter.name.split())


def _misspell(word: str, rng: np.random.Generator) -> str:
    """`word` with one letter left out, doubled, or swapped with the next."""
    at = int(rng.integers(len(word) - 1))
    match rng.integers(3):
        case 0:
            return word[:at] + word[at + 1 :]
        case 1:
            return word[: at + 1] + word[at:]
        case _:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def describe(letter: Letter, rng: np.random.Generator) -> str:
    """A few words about `letter` that narrow it down without naming it; at least one fact is mentioned."""
    known = facts(letter)
    kept = [fact for fact in PHRASES if rng.random() < KEPT] or [str(rng.choice(list(PHRASES)))]
    phrases = []
    for fact in kept:
        values = PHRASES[fact]
        value = str(rng.choice(list(values))) if rng.random() < WRONG else known[fact]
        phrases.append(str(rng.choice(values[value])))
    phrases += [str(phrase) for phrase in rng.choice(DISTRACTORS, rng.integers(0, 3), replace=False)]
    rng.shuffle(phrases)
    words = [word for phrase in phrases for word in phrase.split()]
    words = [_misspell(word, rng) if len(word) > 3 and rng.random() < TYPO else word for word in words]
    return " ".join(word for word in words if not reveals_name(word, letter))
