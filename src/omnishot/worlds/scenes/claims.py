"""Parses sentences about scenes, a person's or a model's, and checks whether their claims are true."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from omnishot.worlds.scenes.layout import Scene, Thing, is_at, is_related
from omnishot.worlds.scenes.vocabulary import ENDINGS, GROUNDS, KNOWN, NOUNS, NUMBERS, PLACES, RELATIONS


@dataclass
class Claims:
    """The claims of a sentence.

    Args:
        things: of each thing mentioned, attribute -> value; `{}` if it claims no attribute.
        places: (number of a thing, its place).
        relations: (number of a thing, relation, number of the other thing).
        count: the number of things, if claimed.
        ground: light or dark, if claimed.
    """

    things: list[dict[str, str]] = field(default_factory=list)
    places: list[tuple[int, str]] = field(default_factory=list)
    relations: list[tuple[int, str, int]] = field(default_factory=list)
    count: int | None = None
    ground: str | None = None

    def hold(self, scene: Scene) -> bool:
        """Whether all claims are true of some assignment of different things of the scene."""
        if self.count not in (None, len(scene.things)) or self.ground not in (None, scene.ground):
            return False
        return any(self._hold_of(things) for things in itertools.permutations(scene.things, len(self.things)))

    def _hold_of(self, things: tuple[Thing, ...]) -> bool:
        return (
            all(
                getattr(thing, attribute) == value
                for thing, claimed in zip(things, self.things, strict=True)
                for attribute, value in claimed.items()
            )
            and all(is_at(things[i], where) for i, where in self.places)
            and all(is_related(things[i], how, things[j]) for i, how, j in self.relations)
        )


def _ways(table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {way: value for value, ways in table.items() for way in ways}


# Kind of token -> phrase -> its value. The longest phrase that fits is taken.
_PHRASES: dict[str, dict[str, str]] = {
    **{attribute: _ways(table) for attribute, table in KNOWN.items()},
    "noun": dict.fromkeys(NOUNS, ""),
    "ending": {f"with {way}": value for way, value in _ways(ENDINGS).items()},
    "relation": _ways(RELATIONS),
    "place": _ways(PLACES),
    "ground": _ways(GROUNDS),
    "count": {f"{number} {noun}": str(i) for i, number in enumerate(NUMBERS) for noun in ("things", "shapes")},
    "opening": dict.fromkeys(("there is", "there are", "i see", "i can see", "here is", "a picture of"), ""),
    "article": {"a": "", "an": "", "the": ""},
    "is": {"is": "", "sits": ""},
    "of": {"one of them": "", "one is": ""},
    "and": {"and": "", ",": ""},
    "with": {"with": ""},
    "it": {"it": ""},
}
_LONGEST = max(len(phrase.split()) for table in _PHRASES.values() for phrase in table)


class _Ungrammatical(Exception):
    """The sentence does not fit the grammar."""


def _tokens(words: list[str], kind: str, word: str) -> Iterator[tuple[str, str]]:
    """(kind of token, its value), with a new word of the given kind."""
    table = _PHRASES | {kind: _PHRASES[kind] | {word: word}}
    table["ending"] = table["ending"] | ({f"with a {word} pattern": word} if kind == "texture" else {})
    at = 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            phrase = " ".join(words[at : at + length])
            match = next((kind for kind, phrases in table.items() if phrase in phrases), None)
            if match:
                yield match, table[match][phrase]
                at += length
                break
        else:
            raise _Ungrammatical


def read(sentence: str, kind: str, word: str) -> Claims | None:
    """The claims of a sentence, or None if it does not fit the grammar of sentences about scenes.

    Args:
        sentence: in small letters, without a full stop.
        kind: the attribute that the new word names: colour, shape or texture.
        word: the new word.
    """
    try:
        return _parse(list(_tokens(sentence.replace(",", " , ").split(), kind, word)))
    except _Ungrammatical:
        return None


def _parse(tokens: list[tuple[str, str]]) -> Claims:
    claims = Claims()
    waiting: list[tuple[str, int, str]] = []  # (place or relation, of which thing, what): the other thing is to come
    owner = None  # the thing "it" is
    at = 0
    while at < len(tokens):
        kind, value = tokens[at]
        at += 1
        if kind == "article" or (kind == "of" and tokens[at : at + 1] and tokens[at][0] == "article"):
            at += kind == "of"
            thing, at = _thing(tokens, at)
            claims.things.append(thing)
            for what, number, pending in waiting:
                if what == "place":
                    claims.places.append((len(claims.things) - 1, pending))
                else:
                    claims.relations.append((number, pending, len(claims.things) - 1))
            waiting = []
        elif kind == "place":
            if claims.things:
                claims.places.append((len(claims.things) - 1, value))
            else:
                waiting.append(("place", 0, value))
        elif kind == "relation" and claims.things:
            if tokens[at : at + 1] == [("it", "")] and owner is not None:
                claims.relations.append((len(claims.things) - 1, value, owner))
                at += 1
            else:
                waiting.append(("relation", len(claims.things) - 1, value))
        elif kind == "with" and claims.things:
            owner = len(claims.things) - 1
        elif kind == "count":
            claims.count = int(value)
        elif kind == "ground":
            claims.ground = value
        elif kind not in ("opening", "and", "is"):
            raise _Ungrammatical
    if waiting or not claims.things:
        raise _Ungrammatical
    return claims


def _thing(tokens: list[tuple[str, str]], at: int) -> tuple[dict[str, str], int]:
    """The attributes claimed from token `at` to the noun and its ending, and the index of the next token."""
    attributes: dict[str, str] = {}
    while at < len(tokens) and tokens[at][0] in KNOWN and "shape" not in attributes:
        kind, value = tokens[at]
        if kind in attributes:
            raise _Ungrammatical
        attributes[kind] = value
        at += 1
    if "shape" not in attributes:
        if at == len(tokens) or tokens[at][0] != "noun":
            raise _Ungrammatical
        at += 1
    if at < len(tokens) and tokens[at][0] == "ending":
        if "texture" in attributes:
            raise _Ungrammatical
        attributes["texture"] = tokens[at][1]
        at += 1
    return attributes, at
