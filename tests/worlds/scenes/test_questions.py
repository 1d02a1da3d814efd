import re
from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import pytest

from omnishot.worlds import make
from omnishot.worlds.scenes.layout import Scene, Thing, place
from omnishot.worlds.scenes.questions import ANSWERS, ask
from omnishot.worlds.scenes.truth import read
from omnishot.worlds.scenes.words import KNOWN, VOCABULARY


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    pictures = pd.read_json(
        make("scenes", folder / "c.jsonl", concepts=60, pictures=10, size=24, without=0), lines=True
    )
    made = make("scenes", folder / "q.jsonl", form="questions", concepts=60, pictures=10, size=24)
    asked = pd.read_json(made, lines=True)
    assert list(asked.columns) == ["image", "question", "answer", "concept", "split", "_kind", "_scene"]
    asked = asked.rename(columns={"_kind": "kind", "_scene": "scene"})
    asked["about"] = asked.concept.map(pictures.groupby("concept")._kind.first())
    return asked, pictures


def answer(question, scene, kind, word):
    """The answer, found by reading the question and looking at the scene in another way than it was asked."""

    def claims(said):
        found = read(said, kind, word)
        assert found is not None, said
        return found

    def one(said):
        told = claims(said).things[0]
        (thing,) = (t for t in scene.things if all(getattr(t, a) == v for a, v in told.items()))
        return thing

    def others(thing):
        return number(sum(other is not thing for other in scene.things))

    patterns = {
        r"(?:is there|can you see|do you see) (an? .*)": lambda said: "yes" if claims(said).hold(scene) else "no",
        r"how many (?:things|shapes) are there": lambda: number(len(scene.things)),
        r"how many (?:things|shapes) are there besides (the .*)": lambda said: number(
            len(scene.things) - bool(one(said))
        ),
        r"how many (\w+) (?:things|shapes) are there": lambda said: number(
            sum(said in KNOWN[a][v] for t in scene.things for a, v in vars(t).items() if a in KNOWN and v in KNOWN[a])
        ),
        r"(?:what colour is|what is the colour of) (the .*)": lambda said: one(said).colour,
        r"(?:what pattern does|what is the pattern of) (the .*?)(?: have)?": lambda said: one(said).texture,
        r"(?:what shape is|what is) (the .*)": lambda said: one(said).shape,
        r"is (the .*) big or small": lambda said: one(said).size,
        r"where is (the .*)": lambda said: place(one(said)),
        r"is (the .*) bigger than (the .*)": lambda a, b: "yes" if one(a).radius > one(b).radius else "no",
        r"is (the .*) smaller than (the .*)": lambda a, b: "yes" if one(a).radius < one(b).radius else "no",
        r"is (the .*) above or below (the .*)": lambda a, b: "above" if one(a).y < one(b).y else "below",
        r"is (the .*) to the left or to the right of (the .*)": lambda a, b: "left" if one(a).x < one(b).x else "right",
        r"is (the .*)": lambda said: "yes" if claims(f"the {said[4:]}").hold(scene) else "no",
    }
    for pattern, look in patterns.items():
        match = re.fullmatch(pattern + r"\?", question)
        if match:
            return look(*match.groups())
    raise AssertionError(question)


def number(count):
    return ("zero", "one", "two", "three")[count]


def test_every_answer_is_right(table):
    for row in table[0].itertuples():
        assert answer(row.question, Scene.from_json(row.scene), row.about, row.concept) == row.answer, row


def test_questions_are_about_the_pictures_of_the_captions(table):
    asked, pictures = table
    assert len(asked) == 3 * len(pictures)
    assert list(asked.scene[::3]) == list(pictures._scene)
    assert (asked.groupby(["concept", "image"]).question.nunique() == 3).all()


def test_every_kind_is_asked_as_often_and_known_words_suffice(table):
    asked = table[0]
    counts = asked.kind.value_counts()
    assert set(counts.index) == {form.split()[0] for form in ANSWERS}
    assert counts.min() > 0.8 * counts.max()
    for row in asked.itertuples():
        assert set(f"{row.question[:-1]} {row.answer}".split()) - {row.concept} <= VOCABULARY


def test_many_questions_need_the_new_word_and_some_ask_for_it(table):
    asked = table[0]
    needed = [row.concept in f"{row.question[:-1]} {row.answer}".split() for row in asked.itertuples()]
    assert np.mean(needed) > 0.5
    assert np.mean(asked.answer == asked.concept) > 0.05
    assert {row.about for row in asked.itertuples() if row.answer == row.concept} == {"colour", "shape", "texture"}


def test_no_answer_to_a_form_is_much_likelier_than_the_others(table):
    asked = table[0][lambda t: t.split == "train"]
    seen = defaultdict(Counter)
    for row in asked.itertuples():
        said = "*" if row.answer == row.concept else row.answer
        form = next((f for f in ANSWERS if f.startswith(row.kind) and said in ANSWERS[f]), None)
        assert form, row
        seen[form][said] += 1
    for form in ("colour", "shape", "texture", "where", "exists"):
        counts = [seen[form][said] for said in ANSWERS[form]]
        assert max(counts) <= min(counts) + 8, (form, seen[form])


@pytest.mark.parametrize("count", [1, 7])
def test_a_lone_thing_can_be_asked_about(count):
    scene = Scene((Thing("red", "wug", "plain", "big", 0.5, 0.5, 0.2),), "light")
    questions = ask(scene, "wug", count, Counter(), np.random.default_rng(0))
    assert len({question.text for question in questions}) == count
    for question in questions:
        assert answer(question.text, scene, "shape", "wug") == question.answer
