"""Questions about scenes with one right answer, chosen so that no answer is likelier without the picture."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from omnishot.worlds.scenes.layout import FAR, NEAR, Scene, Thing, draw_thing, is_related, place
from omnishot.worlds.scenes.sentences import article, choice, phrase_for
from omnishot.worlds.scenes.vocabulary import COLOURS, KNOWN, NUMBERS, PLACES, RELATIONS, SHAPES, TEXTURES

FRESH = 0.6  # how often a question that needs the new word is preferred to others
SLACK = 2  # how far an answer may be ahead of the rarest one to the same form of question
NEW = "*"  # stands for a new word where answers are counted: each task has another
BORDER = 0.02  # nearer than this to the border of a place, the place is ambiguous

#: Form of a question -> answers that are kept equally frequent.
ANSWERS: dict[str, tuple[str, ...]] = {
    "exists": ("yes", "no"),
    "exists related": ("yes", "no"),
    "count all": NUMBERS[1:],
    "count others": NUMBERS[:3],
    "count some": NUMBERS[:3],
    "colour": (*COLOURS, NEW),
    "shape": (*SHAPES, NEW),
    "texture": (*TEXTURES, NEW),
    "where": tuple(PLACES),
    "compare size": ("big", "small"),
    "compare sizes": ("yes", "no"),
    "compare heights": ("above", "below"),
    "compare sides": ("left", "right"),
}
_OPPOSITE = {"above": "below", "below": "above", "left": "right", "right": "left"}


@dataclass(frozen=True)
class Question:
    """A question, its answer, and its form; the first word of the form is the kind."""

    form: str
    text: str
    answer: str

    @property
    def kind(self) -> str:
        return self.form.split()[0]


def _phrase(thing: Thing, attributes: Sequence[str], rng: np.random.Generator) -> str:
    """Some attributes of the thing as words before a noun."""
    words = [phrase_for(a, getattr(thing, a), rng) for a in ("size", "texture", "colour") if a in attributes]
    return " ".join([*words, phrase_for("shape", thing.shape, rng) if "shape" in attributes else "thing"])


def _the(scene: Scene, thing: Thing, without: str, rng: np.random.Generator) -> str | None:
    """A phrase that fits this thing only and omits the attribute `without`; None if there is none."""
    attributes = [a for a in KNOWN if a != without]
    for count in (1, 2):
        ways = []
        for chosen in itertools.combinations(attributes, count):
            values = [tuple(getattr(t, a) for a in chosen) for t in scene.things]
            if values.count(tuple(getattr(thing, a) for a in chosen)) == 1:
                ways.append(chosen)
        fresh = [chosen for chosen in ways if any(getattr(thing, a) not in KNOWN[a] for a in chosen)]
        if ways:
            ways = fresh if fresh and rng.random() < FRESH else ways
            return f"the {_phrase(thing, ways[rng.integers(len(ways))], rng)}"
    return None


def _exists(scene: Scene, rng: np.random.Generator) -> Iterator[Question]:
    """Whether a thing with two attributes exists; if the answer is no, one attribute is that of another thing."""
    opening = choice(rng, ("is there", "can you see", "do you see"))
    others = [*scene.things, *(draw_thing(rng) for _ in range(4))]
    for thing in scene.things:
        for pair in itertools.combinations(KNOWN, 2):
            kept, changed = pair if rng.random() < 0.5 else pair[::-1]
            yield Question("exists", f"{opening} {article(_phrase(thing, pair, rng))}?", "yes")
            source = others[rng.integers(len(others))]
            values = {kept: getattr(thing, kept), changed: getattr(source, changed)}
            if not any(all(getattr(t, a) == v for a, v in values.items()) for t in scene.things):
                other = Thing(**(vars(thing) | values))
                yield Question("exists", f"{opening} {article(_phrase(other, pair, rng))}?", "no")


def _related(scene: Scene, rng: np.random.Generator) -> Iterator[Question]:
    """The relation of one thing to another; if the answer is no, the opposite relation."""
    for one, other in itertools.permutations(scene.things, 2):
        first, second = _the(scene, one, "", rng), _the(scene, other, "", rng)
        for relation, opposite in _OPPOSITE.items():
            if first and second and is_related(one, relation, other):
                for claimed, answer in ((relation, "yes"), (opposite, "no")):
                    how = choice(rng, RELATIONS[claimed])
                    yield Question("exists related", f"is {first} {how} {second}?", answer)
                heights = relation in ("above", "below")
                form, ways = ("heights", "above or below") if heights else ("sides", "to the left or to the right of")
                yield Question(f"compare {form}", f"is {first} {ways} {second}?", relation)


def _count(scene: Scene, rng: np.random.Generator) -> Iterator[Question]:
    """The number of all things, of all but one, and of those with one attribute."""
    noun = choice(rng, ("things", "shapes"))
    yield Question("count all", f"how many {noun} are there?", NUMBERS[len(scene.things)])
    for thing in scene.things:
        phrase = _the(scene, thing, "", rng)
        if phrase:
            yield Question(
                "count others", f"how many {noun} are there besides {phrase}?", NUMBERS[len(scene.things) - 1]
            )
    for thing in (*scene.things, draw_thing(rng), draw_thing(rng)):
        for attribute in ("size", "texture", "colour"):
            value = getattr(thing, attribute)
            number = sum(getattr(t, attribute) == value for t in scene.things)
            if value in KNOWN[attribute] and number < len(NUMBERS) - 1:
                yield Question(
                    "count some", f"how many {phrase_for(attribute, value, rng)} {noun} are there?", NUMBERS[number]
                )


def _attributes(scene: Scene, rng: np.random.Generator) -> Iterator[Question]:
    """The colour, shape, texture, size and place of every thing."""
    asking = {
        "colour": ("what colour is {}?", "what is the colour of {}?"),
        "shape": ("what shape is {}?", "what is {}?"),
        "texture": ("what pattern does {} have?", "what is the pattern of {}?"),
    }
    for thing in scene.things:
        for form, ways in asking.items():
            phrase = _the(scene, thing, form, rng)
            if phrase:
                yield Question(form, choice(rng, ways).format(phrase), getattr(thing, form))
        phrase = _the(scene, thing, "size", rng)
        if phrase:
            yield Question("compare size", f"is {phrase} big or small?", thing.size)
            if all(abs(at - edge) > BORDER for at in (thing.x, thing.y) for edge in (NEAR, FAR)):
                yield Question("where", f"where is {phrase}?", place(thing))


def _sizes(scene: Scene, rng: np.random.Generator) -> Iterator[Question]:
    """Which of two things is larger."""
    for one, other in itertools.permutations(scene.things, 2):
        first, second = _the(scene, one, "size", rng), _the(scene, other, "size", rng)
        if first and second and one.size != other.size:
            how = choice(rng, ("bigger", "smaller"))
            answer = "yes" if (one.size == "big") == (how == "bigger") else "no"
            yield Question("compare sizes", f"is {first} {how} than {second}?", answer)


_ASKERS: tuple[Callable[[Scene, np.random.Generator], Iterator[Question]], ...] = (
    *(_exists, _related, _count, _attributes, _sizes),
)
QUESTION_KINDS = tuple(dict.fromkeys(form.split()[0] for form in ANSWERS))


def ask(scene: Scene, word: str, count: int, counts: Counter[str], rng: np.random.Generator) -> list[Question]:
    """`count` different questions about the scene, of different kinds where possible.

    Args:
        word: the task's new word.
        counts: how often each form, and each form with each answer, occurred before; updated here. The rarest come
            first, which keeps the kinds and the answers to each form equally frequent.
    """
    options = [question for asker in _ASKERS for question in asker(scene, rng)]
    options = [options[i] for i in rng.permutation(len(options))]
    chosen: list[Question] = []
    while len(chosen) < count:
        kinds = {question.kind for question in chosen}
        left = [question for question in options if question.text not in {q.text for q in chosen}]
        fair = [question for question in left if _is_fair(question, word, counts)] or left
        new = [question for question in fair if question.kind not in kinds] or fair
        rarest = min(counts[question.kind] for question in new)
        new = [question for question in new if counts[question.kind] == rarest]
        fresh = [question for question in new if word in f"{question.text[:-1]} {question.answer}".split()]
        pool = fresh if fresh and rng.random() < FRESH else new
        question = min(pool, key=lambda q: (counts[_key(q, word)], counts[q.form]))
        chosen.append(question)
        counts.update({question.kind, question.form, _key(question, word)})
    return chosen


def _key(question: Question, word: str) -> str:
    return f"{question.form}: {NEW if question.answer == word else question.answer}"


def _is_fair(question: Question, word: str, counts: Counter[str]) -> bool:
    """Whether the answer is not more frequent than the others to this form (but for `SLACK`)."""
    rarest = min(counts[f"{question.form}: {answer}"] for answer in ANSWERS[question.form])
    return counts[_key(question, word)] <= rarest + SLACK
