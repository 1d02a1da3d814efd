import re
from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import pytest

from omnishot.worlds import make
from omnishot.worlds.scenes.claims import read
from omnishot.worlds.scenes.layout import Scene, Thing, place
from omnishot.worlds.scenes.questions import ANSWERS, ask
from omnishot.worlds.scenes.vocabulary import KNOWN, VOCABULARY


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    pictures = pd.read_json(
        make("scenes", folder / "c.jsonl", concepts=60, pictures=10, size=24, without=0), lines=True
    )
    made = make("scenes", folder / "q.jsonl", form="questions", concepts=60, pictures=10, size=24)
    questions = pd.read_json(made, lines=True)
    assert list(questions.columns) == ["image", "question", "answer", "concept", "split", "_kind", "_scene"]
    questions = questions.rename(columns={"_kind": "kind", "_scene": "scene"})
    questions["about"] = questions.concept.map(pictures.groupby("concept")._kind.first())
    return questions, pictures


def answer(question, scene, kind, word):
    """The answer, computed from the question and the scene by other code than the world's."""

    def claims(text):
        parsed = read(text, kind, word)
        assert parsed is not None, text
        return parsed

    def one(text):
        attributes = claims(text).things[0]
        (thing,) = (t for t in scene.things if all(getattr(t, a) == v for a, v in attributes.items()))
        return thing

    def others(thing):
        return number(sum(other is not thing for other in scene.things))

    patterns = {
        r"(?:is there|can you see|do you see) (an? .*)": lambda text: "yes" if claims(text).hold(scene) else "no",
        r"how many (?:things|shapes) are there": lambda: number(len(scene.things)),
        r"how many (?:things|shapes) are there besides (the .*)": lambda text: number(
            len(scene.things) - bool(one(text))
        ),
        r"how many (\w+) (?:things|shapes) are there": lambda value: number(
            sum(value in KNOWN[a][v] for t in scene.things for a, v in vars(t).items() if a in KNOWN and v in KNOWN[a])
        ),
        r"(?:what colour is|what is the colour of) (the .*)": lambda text: one(text).colour,
        r"(?:what pattern does|what is the pattern of) (the .*?)(?: have)?": lambda text: one(text).texture,
        r"(?:what shape is|what is) (the .*)": lambda text: one(text).shape,
        r"is (the .*) big or small": lambda text: one(text).size,
        r"where is (the .*)": lambda text: place(one(text)),
        r"is (the .*) bigger than (the .*)": lambda a, b: "yes" if one(a).radius > one(b).radius else "no",
        r"is (the .*) smaller than (the .*)": lambda a, b: "yes" if one(a).radius < one(b).radius else "no",
        r"is (the .*) above or below (the .*)": lambda a, b: "above" if one(a).y < one(b).y else "below",
        r"is (the .*) to the left or to the right of (the .*)": lambda a, b: "left" if one(a).x < one(b).x else "right",
        r"is (the .*)": lambda text: "yes" if claims(f"the {text[4:]}").hold(scene) else "no",
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
    questions, pictures = table
    assert len(questions) == 3 * len(pictures)
    assert list(questions.scene[::3]) == list(pictures._scene)
    assert (questions.groupby(["concept", "image"]).question.nunique() == 3).all()


def test_every_kind_is_equally_frequent_and_known_words_suffice(table):
    questions = table[0]
    counts = questions.kind.value_counts()
    assert set(counts.index) == {form.split()[0] for form in ANSWERS}
    assert counts.min() > 0.8 * counts.max()
    for row in questions.itertuples():
        assert set(f"{row.question[:-1]} {row.answer}".split()) - {row.concept} <= VOCABULARY


def test_many_questions_need_the_new_word_and_some_ask_for_it(table):
    questions = table[0]
    needed = [row.concept in f"{row.question[:-1]} {row.answer}".split() for row in questions.itertuples()]
    assert np.mean(needed) > 0.5
    assert np.mean(questions.answer == questions.concept) > 0.05
    assert {row.about for row in questions.itertuples() if row.answer == row.concept} == {"colour", "shape", "texture"}


def test_no_answer_to_a_form_is_much_likelier_than_the_others(table):
    questions = table[0][lambda t: t.split == "train"]
    counted = defaultdict(Counter)
    for row in questions.itertuples():
        key = "*" if row.answer == row.concept else row.answer
        form = next((f for f in ANSWERS if f.startswith(row.kind) and key in ANSWERS[f]), None)
        assert form, row
        counted[form][key] += 1
    for form in ("colour", "shape", "texture", "where", "exists"):
        counts = [counted[form][key] for key in ANSWERS[form]]
        assert max(counts) <= min(counts) + 8, (form, counted[form])


@pytest.mark.parametrize("count", [1, 7])
def test_a_single_thing_has_questions(count):
    scene = Scene((Thing("red", "wug", "plain", "big", 0.5, 0.5, 0.2),), "light")
    questions = ask(scene, "wug", count, Counter(), np.random.default_rng(0))
    assert len({question.text for question in questions}) == count
    for question in questions:
        assert answer(question.text, scene, "shape", "wug") == question.answer
