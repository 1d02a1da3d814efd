"""Sentences about scenes in varying words, order and detail, all true."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from omnishot.worlds.scenes.layout import Scene, Thing, is_at, is_related
from omnishot.worlds.scenes.vocabulary import ENDINGS, GROUNDS, KNOWN, NOUNS, NUMBERS, PLACES, RELATIONS

# How often a detail is mentioned, where it is not the task's new word.
DETAIL_RATES = {"colour": 0.8, "texture": 0.55, "size": 0.35}
PLAIN = 0.06  # how often "plain" is mentioned
VAGUE = 0.08  # "thing" instead of the shape's name
OPENINGS = ("", "", "", "there is ", "there is ", "i see ", "a picture of ", "here is ", "i can see ")


def choice(rng: np.random.Generator, ways: tuple[str, ...]) -> str:
    """One of several phrases."""
    return ways[rng.integers(len(ways))]


def phrase_for(attribute: str, value: str, rng: np.random.Generator) -> str:
    """One of the phrases for a known value; an invented value as it is."""
    return choice(rng, KNOWN[attribute].get(value, (value,)))


def name(thing: Thing, rng: np.random.Generator) -> str:
    """The thing without an article: `big striped red star`, `blue wug with dots`. A new word is always mentioned."""
    rates = {a: PLAIN if getattr(thing, a) == "plain" else rate for a, rate in DETAIL_RATES.items()}
    mentioned = [a for a, rate in rates.items() if rng.random() < rate or getattr(thing, a) not in KNOWN[a]]
    words = {a: phrase_for(a, getattr(thing, a), rng) for a in mentioned}
    ending = ""
    if "texture" in mentioned and rng.random() < 0.3:
        if thing.texture in ENDINGS:
            ending = f" with {choice(rng, ENDINGS[thing.texture])}"
        elif thing.texture not in KNOWN["texture"]:
            ending = f" with a {thing.texture} pattern"
        if ending:
            del words["texture"]
    pair = [words[a] for a in ("texture", "colour") if a in words]
    adjectives = [words[a] for a in ("size",) if a in words] + (pair if rng.random() < 0.6 else pair[::-1])
    vague = thing.shape in KNOWN["shape"] and bool(mentioned) and rng.random() < VAGUE
    noun = choice(rng, NOUNS) if vague else phrase_for("shape", thing.shape, rng)
    return " ".join([*adjectives, noun]) + ending


def article(phrase: str) -> str:
    """`phrase` with its indefinite article."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def _where(thing: Thing, rng: np.random.Generator) -> str:
    """A phrase that says where the thing is."""
    return choice(rng, PLACES[choice(rng, tuple(where for where in PLACES if is_at(thing, where)))])


def relation(one: Thing, other: Thing, rng: np.random.Generator) -> str:
    """A phrase for where `one` is, seen from `other`; empty if neither direction is clear."""
    true = tuple(word for word in RELATIONS if is_related(one, word, other))
    return choice(rng, RELATIONS[choice(rng, true)]) if true else ""


def describe(thing: Thing, rng: np.random.Generator) -> str:
    """The thing with its article and random details."""
    return article(name(thing, rng))


def _solo(scene: Scene, rng: np.random.Generator) -> str:
    rest = f" {_where(scene.things[0], rng)}" if rng.random() < 0.6 else ""
    rest += f" {choice(rng, GROUNDS[scene.ground])}" if rng.random() < 0.3 else ""
    return f"{choice(rng, OPENINGS)}{describe(scene.things[0], rng)}{rest}"


def _front(scene: Scene, rng: np.random.Generator) -> str:
    verb = choice(rng, ("there is", "is", "sits"))
    return f"{_where(scene.things[0], rng)} {verb} {describe(scene.things[0], rng)}"


def _fact(scene: Scene, rng: np.random.Generator) -> str:
    return f"the {name(scene.things[0], rng)} is {_where(scene.things[0], rng)}"


def _others(scene: Scene, rng: np.random.Generator) -> Thing:
    return scene.things[rng.integers(1, len(scene.things))]


def _two(scene: Scene, rng: np.random.Generator) -> tuple[Thing, Thing]:
    """The first thing and another, in either order."""
    pair = (scene.things[0], _others(scene, rng))
    return pair if rng.random() < 0.65 else pair[::-1]


def _pair(scene: Scene, rng: np.random.Generator) -> str:
    one, other = _two(scene, rng)
    how = relation(one, other, rng)
    rest = f" {choice(rng, GROUNDS[scene.ground])}" if rng.random() < 0.1 else ""
    return f"{choice(rng, OPENINGS)}{describe(one, rng)} {how} {describe(other, rng)}{rest}" if how else ""


def _pair_fact(scene: Scene, rng: np.random.Generator) -> str:
    one, other = _two(scene, rng)
    how = relation(one, other, rng)
    return f"the {name(one, rng)} is {how} the {name(other, rng)}" if how else ""


def _with(scene: Scene, rng: np.random.Generator) -> str:
    one, other = _two(scene, rng)
    how = relation(other, one, rng)
    return f"{describe(one, rng)} with {describe(other, rng)} {how} it" if how else ""


def _and(scene: Scene, rng: np.random.Generator) -> str:
    return f"{choice(rng, OPENINGS)}{' and '.join(describe(thing, rng) for thing in _two(scene, rng))}"


def _places(scene: Scene, rng: np.random.Generator) -> str:
    return " and ".join(f"{describe(thing, rng)} {_where(thing, rng)}" for thing in _two(scene, rng))


def _list(scene: Scene, rng: np.random.Generator) -> str:
    phrases = [describe(scene.things[i], rng) for i in rng.permutation(len(scene.things))]
    return f"{choice(rng, OPENINGS)}{', '.join(phrases[:-1])} and {phrases[-1]}"


def _count(scene: Scene, rng: np.random.Generator) -> str:
    number, noun = NUMBERS[len(scene.things)], choice(rng, ("things", "shapes"))
    link = choice(rng, (", one of them", " and one is"))
    return f"{choice(rng, ('', 'there are ', 'i see '))}{number} {noun}{link} {describe(scene.things[0], rng)}"


Form = Callable[[Scene, np.random.Generator], str]
#: Number of things -> forms of a sentence, the likelier ones more than once. A form that does not fit gives "".
FORMS: dict[int, tuple[Form, ...]] = {
    1: (_solo, _solo, _solo, _front, _fact),
    2: (_pair, _pair, _pair, _pair_fact, _with, _and, _places, _solo, _count),
    3: (_pair, _pair, _list, _list, _pair_fact, _with, _and, _places, _count),
}


def sentences(scene: Scene, count: int, rng: np.random.Generator) -> list[str]:
    """`count` different sentences about the scene. Each mentions its first thing, and by its new word if it has one."""
    distinct: dict[str, None] = {}
    while len(distinct) < count:
        forms = FORMS[len(scene.things)]
        sentence = forms[rng.integers(len(forms))](scene, rng)
        if sentence:
            distinct[sentence] = None
    return list(distinct)
