import random

import jiwer
import pytest

from omnishot.errors import DataError
from omnishot.metrics.speech import error_counts, transcript_figures

WORDS = ["one", "two", "three", "four", "hundred", "and", "été", "日本"]


def rows(r: random.Random) -> tuple[list[str], list[str]]:
    count = r.randint(1, 5)
    expected = [" ".join(r.choice(WORDS) for _ in range(r.randint(1, 7))) for _ in range(count)]
    written = [" ".join(w for w in text.split() for _ in range(r.choice((0, 1, 1, 2)))) for text in expected]
    return written, expected


def test_is_jiwers_on_random_transcripts() -> None:
    r = random.Random(0)
    for _ in range(1000):
        written, expected = rows(r)
        figures = transcript_figures([(written, expected)])
        assert figures["word_error_rate"][0] == pytest.approx(jiwer.wer(expected, written))
        assert figures["character_error_rate"][0] == pytest.approx(jiwer.cer(expected, written))


def test_episodes_add_up_and_their_order_does_not_count() -> None:
    r = random.Random(1)
    episodes = [rows(r) for _ in range(30)]
    written, expected = [t for e in episodes for t in e[0]], [t for e in episodes for t in e[1]]
    figures = transcript_figures(episodes)
    assert figures["word_error_rate"][0] == pytest.approx(jiwer.wer(expected, written))
    assert 0 < figures["word_error_rate"][1] < 0.5
    turned = [(written[::-1], expected[::-1]) for written, expected in episodes]
    assert transcript_figures(turned) == figures


def test_by_hand() -> None:
    # "two" replaced, "four" put in: 2 errors in 3 words.
    assert error_counts(["one too three four"], ["one two three"]) == (2, 3)
    assert error_counts(["abd"], ["abc d"], unit="character") == (2, 5)
    assert transcript_figures([(["one two"], ["one two"])] * 2)["word_error_rate"] == (0.0, 0.0)


def test_where_nothing_was_said_every_word_is_an_error() -> None:
    assert error_counts(["one two", "three"], ["", "three"]) == (2, 1)
    assert error_counts(["", ""], [" ", ""]) == (0, 0)
    assert error_counts(["", "a"], ["b", "a"], unit="character") == (1, 2)
    with pytest.raises(DataError, match="Every reference transcript is empty"):
        transcript_figures([(["one"], [""])])
    with pytest.raises(DataError, match="1 transcripts but 2 references"):
        error_counts(["one"], ["one", "two"])
