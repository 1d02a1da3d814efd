from collections import Counter, defaultdict

import pytest

from omnishot.worlds.glyphs.alphabets import ALPHABETS, letters
from omnishot.worlds.glyphs.pictures import faces_of, outline

LETTERS = letters()


def test_there_are_enough_letters_and_alphabets():
    assert len(ALPHABETS) >= 12
    assert len(LETTERS) >= 400
    counts = Counter(letter.split for letter in LETTERS)
    assert counts["test"] >= 60
    assert counts["val"] >= 40
    assert Counter(split for split, _ in ALPHABETS.values())["test"] >= 3


def test_labels_and_characters_are_distinct():
    assert len({letter.label for letter in LETTERS}) == len(LETTERS)
    assert len({letter.char for letter in LETTERS}) == len(LETTERS)


@pytest.mark.parametrize("count", range(3, len(ALPHABETS) + 1))
def test_every_prefix_holds_every_split(count):
    some = letters(count)
    assert {letter.split for letter in some} == {"train", "val", "test"}
    assert some == LETTERS[: len(some)]


def test_names_are_what_the_letters_are_called():
    names = {letter.char: letter.name for letter in LETTERS}
    cases = {letter.char: letter.case for letter in LETTERS}
    assert [names[c] for c in "αςΓשךაϣ"] == ["alpha", "final sigma", "gamma", "shin", "final kaf", "an", "shei"]
    assert [cases[c] for c in "αΓש"] == ["small", "capital", "uncased"]
    assert all(name.replace(" ", "").isascii() and name.replace(" ", "").isalpha() for name in names.values())


def test_letters_of_an_alphabet_look_different():
    drawn = defaultdict(dict)
    for letter in LETTERS:
        shape = outline(letter.char, faces_of(letter.char)[0]).tobytes()
        assert shape not in drawn[letter.alphabet], (letter.label, drawn[letter.alphabet][shape])
        drawn[letter.alphabet][shape] = letter.label
