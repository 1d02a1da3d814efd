"""Soft accuracy of answers that several people gave, and the form in which answers are compared."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from omnishot.errors import DataError
from omnishot.metrics.resampling import resampled, share

#: So many people are enough for an answer to be wholly right.
ENOUGH = 3
ARTICLES = frozenset(("a", "an", "the"))
_COUNTED = "zero one two three four five six seven eight nine ten"
NUMBERS = {word: str(n) for n, word in enumerate(_COUNTED.split())} | {"none": "0"}
_CONTRACTIONS = (
    "ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mightn't mustn't needn't shouldn't "
    "wasn't weren't won't wouldn't i'm i've you're you've you'll we've they're they've they'd they'll could've "
    "might've must've should've would've he's she's that's there's what's where's who's how's o'clock ma'am y'all"
)
#: By how they look without their apostrophe, which is hardly another word.
CONTRACTED = {word.replace("'", ""): word for word in _CONTRACTIONS.split()}


def answer_figures(episodes: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]]) -> dict[str, tuple[float, float]]:
    """`soft_accuracy`: the mean over all rows of `soft_accuracy`, and half its 95% interval over episodes.

    Args:
        episodes: a (answers `[rows]`, people's answers to each row) pair for each.
    """
    scores = [[soft_accuracy(a, r) for a, r in zip(*episode, strict=True)] for episode in episodes]
    return {"soft_accuracy": resampled(share, np.array([(sum(each), len(each)) for each in scores]))}


def soft_accuracy(answer: str, answers: Sequence[str]) -> float:
    """How far people agree with an answer, 0 … 1 (Antol et al., VQA, ICCV 2015, §3).

    With each person left out in turn, it is right by as many of the others as gave it, over 3 and at most 1; the mean
    over persons. The published form asks ten people. Where fewer than four were asked, as many as there are others
    are enough, and one person's answer has to be met. Answers are compared in their `plain` form.

    Raises:
        DataError: if nobody gave an answer.
    """
    if not answers:
        raise DataError(f"Nobody answered what {answer!r} is an answer to: leave the row out.")
    said = plain(answer)
    same = [plain(other) == said for other in answers]
    if len(same) == 1:
        return float(same[0])
    enough = min(ENOUGH, len(same) - 1)
    return sum(min(1.0, (sum(same) - left_out) / enough) for left_out in same) / len(same)


def plain(answer: str) -> str:
    """An answer as it is compared, by the description of VQA's evaluation.

    Lower case; no full stop but a decimal point; number words as digits; no articles; contractions with their
    apostrophe; no comma between digits; a blank for all other punctuation but apostrophe and colon.
    """
    text = answer.lower().replace("’", "'")
    text = re.sub(r"(?<=\d),(?=\d)", "", text)
    text = re.sub(r"\.(?!\d)", "", text)
    text = re.sub(r"[^\w\s':.]|_", " ", text)
    words = (NUMBERS.get(word, word) for word in text.split())
    return " ".join(CONTRACTED.get(word, word) for word in words if word not in ARTICLES)
