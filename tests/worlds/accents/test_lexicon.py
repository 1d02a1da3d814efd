import unicodedata

import numpy as np
import pytest

from omnishot.worlds import espeak, speech
from omnishot.worlds.accents.lexicon import ENGLISHES, LANGUAGES, LONGEST, SHORTEST, sentence, sentences

WITH_SENTENCES = [name for name, language in LANGUAGES.items() if language.phrases]


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_language_has_forty_different_words_in_small_composed_letters(name):
    words = LANGUAGES[name].words
    assert len(words) == len(set(words)) == 40
    for word in words:
        assert word == unicodedata.normalize("NFC", word.lower())
        assert word.replace("'", "").isalpha()


def test_every_split_has_languages_of_words_and_of_sentences():
    assert len(LANGUAGES) >= 10
    for names in (LANGUAGES, WITH_SENTENCES):
        assert {LANGUAGES[name].split for name in names} == {"train", "val", "test"}


@pytest.mark.parametrize("name", WITH_SENTENCES)
def test_sentences_are_short_and_as_many_as_counted(name):
    language, rng = LANGUAGES[name], np.random.default_rng(0)
    texts = [sentence(language, rng) for _ in range(20_000)]
    assert {len(text.split()) for text in texts} <= set(range(SHORTEST, LONGEST + 1))
    assert 1000 < len(set(texts)) <= sentences(language)
    assert max(len(text) for text in texts) < 60
    tails = tuple(f" {tail}" for tail in language.phrases[-1])
    assert 0.45 < np.mean([text.endswith(tails) for text in texts]) < 0.55


def test_counting_sentences_agrees_with_listing_them():
    language, rng = LANGUAGES["sw"], np.random.default_rng(0)
    assert len({sentence(language, rng) for _ in range(100_000)}) == sentences(language)


def test_sentences_of_held_out_languages_use_letters_of_training():
    def letters(split):
        return {
            c
            for name in WITH_SENTENCES
            if LANGUAGES[name].split == split
            for s in LANGUAGES[name].phrases
            for c in "".join(s)
        }

    assert letters("val") | letters("test") <= letters("train")


@pytest.mark.skipif(not speech.installed(), reason="espeakng-loader is not installed")
def test_every_language_speaks_and_its_words_sound_different():
    requests = [(word, f"{name}+m1", 160, 50) for name in LANGUAGES for word in LANGUAGES[name].words]
    requests += [("water", f"{name}+m1", 160, 50) for name in ENGLISHES]
    sounds = list(speech.speak(requests))
    assert all(0.05 < len(sound) / espeak.RATE < 1.5 for sound in sounds)
    heard = {}
    for (word, reader, *_), sound in zip(requests, sounds, strict=True):
        twin = heard.setdefault((reader, sound.tobytes()), word)
        assert twin == word, f"{reader} says {word} and {twin} alike"
