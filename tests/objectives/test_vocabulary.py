"""Sentences to numbers and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.nn.decoders.tokens import BOS, EOS, PAD, SPECIAL
from omnishot.objectives.vocabulary import Vocabulary, shared_tokens, words_of

WORDS = Vocabulary(("a", "dog", "runs", ",", "it's"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A dog runs.", ["a", "dog", "runs", "."]),
        ('Two, "quoted"; it\'s half-red!', ["two", ",", '"', "quoted", '"', ";", "it's", "half-red", "!"]),
        ("one\r\ntwo\tthree  four", ["one", "two", "three", "four"]),
        ("Straße, ÉTÉ, 東京 3.5", ["straße", ",", "été", ",", "東京", "3", ".", "5"]),
        ("cafe\u0301", ["café"]),  # an accent of its own is the letter's
        ("🐦🐦", ["🐦", "🐦"]),
        (" \u200b ", ["\u200b"]),
        ("  ", []),
    ],
)
def test_words(text, words):
    assert words_of(text) == words


@pytest.mark.parametrize("unit", ["word", "character"])
@given(rows=st.lists(st.lists(st.text(max_size=12), max_size=3), min_size=1, max_size=4))
def test_there_and_back(unit, rows):
    """Whatever people write comes back as the vocabulary writes it, and that comes back as it is."""
    vocabulary = Vocabulary(("a", "b", " "), unit)
    numbers, own = vocabulary.encode(rows, 60)
    assert numbers.dtype == np.int32
    assert not (numbers == BOS).any()
    assert len(set(own)) == len(own)
    for results, texts in zip(numbers, rows, strict=True):
        for sentence, text in zip(results, texts, strict=False):
            plain = vocabulary.plain(text)
            assert vocabulary.decode(sentence, own) == plain
            assert vocabulary.plain(plain) == plain
            end = len(vocabulary.split(text))
            assert sentence[end] == EOS
            assert (sentence[end + 1 :] == PAD).all()
        assert (results[len(texts) :] == PAD).all()


def test_words_without_a_number_are_numbered_in_the_order_in_which_they_are_said():
    numbers, own = WORDS.encode([["a blick dog", "zup"], ["zup, a dog"]], 6)
    assert own == ("blick", "zup")
    assert len(WORDS) == len(SPECIAL) + 5 == 9
    assert numbers.tolist() == [[[4, 9, 5, 2, 0, 0], [10, 2, 0, 0, 0, 0]], [[10, 7, 4, 5, 2, 0], [0] * 6]]
    assert WORDS.decode(numbers[0, 0]) == "a ⟨9⟩ dog"
    assert WORDS.decode(np.array([4, 3, 2])) == "a ⟨unknown⟩"


def test_a_long_sentence_is_cut_off_before_its_end():
    numbers, own = WORDS.encode([["a dog runs, it's a blick"]], 4)
    assert numbers.tolist() == [[[4, 5, 6, EOS]]]
    assert own == ()  # what is cut off is not there


def test_no_rows_no_texts_and_empty_texts():
    assert WORDS.encode([], 4)[0].shape == (0, 1, 4)
    assert WORDS.encode([[], []], 4)[0].tolist() == [[[PAD] * 4]] * 2
    assert WORDS.encode([["", " "]], 4)[0].tolist() == [[[EOS, PAD, PAD, PAD]] * 2]


def test_what_tasks_share():
    """By how many tasks say a token, the commonest first, then by the alphabet."""
    rows = [["a dog", "a dog"], ["a cat"], ["the zup"], ["a dog zup zup zup"]]
    tasks = np.array([0, 1, 2, 2])
    assert shared_tokens(rows, tasks, "word", 2) == ("a", "dog")
    assert shared_tokens(rows, tasks, "word", 3) == ("a",)
    assert shared_tokens(rows, tasks, "word", 1) == ("a", "zup", "dog", "cat", "the")
    assert shared_tokens(rows[:1], tasks[:1], "word", 2) == ("a", "dog")  # of one task, all of it
    assert shared_tokens([], np.array([]), "word", 2) == ()
    assert shared_tokens([["ab", "b a"]], np.array([0]), "character", 1) == ("a", "b", " ")
