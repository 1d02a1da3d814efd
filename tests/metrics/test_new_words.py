import random

import pytest

from omnishot.metrics.new_words import contains, new_word_counts, new_word_figures

HYPOTHESES = ["a blick cube", "a cube", "a blick ball", "wug"]
REFERENCES = [["the blick cube", "a blick one"], ["a blick cube", "a cube"], ["a red ball"], ["a wug"]]


def test_counts_by_hand() -> None:
    assert new_word_counts(HYPOTHESES, REFERENCES, ["blick"]) == (1, 2, 2)
    assert new_word_counts(HYPOTHESES, REFERENCES, ["blick"], by="all") == (1, 1, 2)
    assert new_word_counts(HYPOTHESES, REFERENCES, ["blick", "wug"]) == (2, 3, 3)


def test_figures_are_over_all_episodes() -> None:
    episodes = [(HYPOTHESES, REFERENCES, ["blick"]), (HYPOTHESES, REFERENCES, ["wug"])]
    figures = new_word_figures(episodes)
    assert figures["new_word_recall"][0] == pytest.approx(2 / 3)
    assert figures["new_word_precision"][0] == pytest.approx(2 / 3)
    assert figures["new_word_recall"][1] > 0


def test_a_word_is_whole_and_may_be_several() -> None:
    assert contains("a blick , red", "blick")
    assert not contains("a blicket", "blick")
    assert not contains("blickred", "blick")
    assert contains("the light blue cube", "light  blue")
    assert not contains("light the blue cube", "light blue")


def test_never_wanted_or_said_is_zero_and_the_right_word_always_is_one() -> None:
    assert new_word_figures([(["a"], [["a"]], ["blick"])] * 2)["new_word_recall"] == (0.0, 0.0)
    perfect = [([row[0] for row in REFERENCES], [[row[0]] for row in REFERENCES], ["blick", "wug"])] * 3
    assert {value for value, _ in new_word_figures(perfect).values()} == {1.0}


def test_order_of_rows_changes_nothing() -> None:
    pairs = list(zip(HYPOTHESES, REFERENCES, strict=True))
    random.Random(0).shuffle(pairs)
    assert new_word_counts(*zip(*pairs, strict=True), ["blick", "wug"]) == (2, 3, 3)
