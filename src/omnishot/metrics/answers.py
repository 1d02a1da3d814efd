"""Soft accuracy of answers where several people answered each question (VQA)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from omnishot.errors import DataError
from omnishot.metrics.resampling import ratio, resampled

#: An answer is fully right if so many people gave it.
ENOUGH = 3
ARTICLES = frozenset(("a", "an", "the"))
_COUNTED = "zero one two three four five six seven eight nine ten"
NUMBERS = {word: str(n) for n, word in enumerate(_COUNTED.split())} | {"none": "0"}
_CONTRACTIONS = (
    "ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mightn't mustn't needn't shouldn't "
    "wasn't weren't won't wouldn't i'm i've you're you've you'll we've they're they've they'd they'll could've "
    "might've must've should've would've he's she's that's there's what's where's who's how's o'clock ma'am y'all"
)
#: By their form without the apostrophe.
CONTRACTED = {word.replace("'", ""): word for word in _CONTRACTIONS.split()}


def answer_figures(episodes: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]]) -> dict[str, tuple[float, float]]:
    """`soft_accuracy`: the mean over all rows of `soft_accuracy`, and half its 95% interval over episodes.

    Args:
        episodes: a (answers `[rows]`, people's answers to each row) pair for each.
    """
    scores = [[soft_accuracy(a, r) for a, r in zip(*episode, strict=True)] for episode in episodes]
    return {"soft_accuracy": resampled(ratio, np.array([(sum(each), len(each)) for each in scores]))}


def soft_accuracy(answer: str, answers: Sequence[str]) -> float:
    """How many people agree with an answer, 0 … 1 (Antol et al., VQA, ICCV 2015, §3).

    The mean over people of min(1, n / 3), n being how many of the other people gave the answer. The published form asks
    ten people. With fewer than four, n is divided by the number of other people; with one, the answers must be equal.
    Answers are compared in their `plain` form.

    Raises:
        DataError: if nobody gave an answer.
    """
    if not answers:
        raise DataError(f"No reference answer to compare {answer!r} with: leave the row out.")
    normalised = plain(answer)
    same = [plain(other) == normalised for other in answers]
    if len(same) == 1:
        return float(same[0])
    enough = min(ENOUGH, len(same) - 1)
    return sum(min(1.0, (sum(same) - left_out) / enough) for left_out in same) / len(same)


def plain(answer: str) -> str:
    """An answer normalised for comparison, as VQA's evaluation describes it.

    Lower case; no full stop but a decimal point; number words as digits; no articles; contractions with their
    apostrophe; no comma between digits; a blank for all other punctuation but apostrophe and colon.
    """
    text = answer.lower().replace("’", "'")
    text = re.sub(r"(?<=\d),(?=\d)", "", text)
    text = re.sub(r"\.(?!\d)", "", text)
    text = re.sub(r"[^\w\s':.]|_", " ", text)
    words = (NUMBERS.get(word, word) for word in text.split())
    return " ".join(CONTRACTED.get(word, word) for word in words if word not in ARTICLES)
