import numpy as np
import pytest

from omnishot.worlds.glyphs import descriptions
from omnishot.worlds.glyphs.alphabets import Letter, letters

BY_LABEL = {letter.label: letter for letter in letters()}


def names_in(text: str, letter: Letter) -> list[str]:
    """The words of the letter's name that `text` holds, said independently of the module's own rule."""
    words = text.split()
    return [n for n in letter.name.split() if n in words or (len(n) >= 4 and any(n in word for word in words))]


def test_no_description_holds_the_name():
    for seed in range(3):
        for number, letter in enumerate(letters()):
            text = descriptions.describe(letter, np.random.default_rng([seed, number]))
            assert text
            assert not names_in(text, letter), (letter.label, text)


def test_a_name_among_the_phrases_is_left_out():
    letter = BY_LABEL["phonetic open e"]
    assert any(descriptions.reveals_name(word, letter) for word in descriptions.PHRASES["holes"]["0"][0].split())
    texts = [descriptions.describe(letter, np.random.default_rng(seed)) for seed in range(50)]
    assert any("shape" in text for text in texts)
    assert not any("open" in text for text in texts)


@pytest.mark.parametrize(
    ("label", "fact", "value"),
    [
        ("latin capital o", "holes", "1"),
        ("latin capital b", "holes", "2"),
        ("latin capital l", "holes", "0"),
        ("latin i", "parts", "2"),
        ("latin capital w", "width", "wide"),
        ("latin capital i", "width", "narrow"),
        ("latin capital h", "crossings across", "1"),
        ("latin capital n", "crossings across", "3"),
        ("latin capital e", "crossings down", "3"),
        ("latin capital t", "vertical weight", "top"),
        ("latin capital l", "lateral weight", "left"),
        ("latin capital a", "mirror", "sides"),
        ("latin capital h", "mirror", "both"),
        ("latin capital l", "mirror", "neither"),
        ("latin capital e", "strokes", "straight"),
        ("latin capital o", "strokes", "curved"),
        ("latin g", "baseline", "descends"),
        ("latin h", "baseline", "stands"),
        ("greek alpha", "starts", "vowel"),
        ("hebrew shin", "starts", "fricative"),
        ("hebrew shin", "ends", "nasal"),
        ("greek capital gamma", "case", "capital"),
        ("hebrew final kaf", "length", "long"),
    ],
)
def test_facts_are_true(label, fact, value):
    assert descriptions.facts(BY_LABEL[label])[fact] == value


def test_every_fact_has_words_and_says_something():
    known = [descriptions.facts(letter) for letter in letters()]
    for fact, values in descriptions.PHRASES.items():
        assert {facts[fact] for facts in known} == set(values), f"{fact} never takes some of its values"


def test_descriptions_vary_and_follow_the_generator():
    letter = BY_LABEL["greek alpha"]
    texts = [descriptions.describe(letter, np.random.default_rng(seed)) for seed in range(20)]
    assert len(set(texts)) == 20
    assert texts == [descriptions.describe(letter, np.random.default_rng(seed)) for seed in range(20)]


def test_descriptions_of_one_letter_have_more_words_in_common_than_those_of_two():
    def words(label: str, seed: int) -> set[str]:
        return set(descriptions.describe(BY_LABEL[label], np.random.default_rng(seed)).split())

    same = np.mean([len(words("latin capital o", s) & words("latin capital o", s + 100)) for s in range(100)])
    other = np.mean([len(words("latin capital o", s) & words("hebrew final nun", s + 100)) for s in range(100)])
    assert same > other + 1
