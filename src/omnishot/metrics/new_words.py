"""Whether words that a task brought are said where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from omnishot.metrics.resampling import resampled, share
from omnishot.metrics.sentences import given

#: Generated sentences, of each row the references, and the words that the task brought.
Told = tuple[Sequence[str], Sequence[Sequence[str]], Sequence[str]]


def new_word_figures(episodes: Sequence[Told], by: Literal["any", "all"] = "any") -> dict[str, tuple[float, float]]:
    """`new_word_recall` and `new_word_precision` over all episodes, as (value, half its 95% interval over episodes).

    Every row and word of an episode is one case. Recall is the share of the cases that want the word in which it is
    said; precision the share of the cases that say it in which it is wanted. Of no such case either is 0.

    Args:
        by: a row wants a word if any of its references says it, or only if all do.
    """
    counts = np.array([new_word_counts(*episode, by=by) for episode in episodes])
    names = (("new_word_recall", [0, 1]), ("new_word_precision", [0, 2]))
    return {name: resampled(share, counts[:, columns]) for name, columns in names}


def new_word_counts(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    words: Sequence[str],
    by: Literal["any", "all"] = "any",
) -> tuple[int, int, int]:
    """Cases in which a word is said and wanted, is wanted, is said."""
    agreed = {"any": any, "all": all}[by]
    cases = [
        (says(hypothesis, word), agreed(says(reference, word) for reference in row))
        for hypothesis, row in zip(hypotheses, given(hypotheses, references), strict=True)
        for word in words
    ]
    return sum(a and b for a, b in cases), sum(b for _, b in cases), sum(a for a, _ in cases)


def says(text: str, word: str) -> bool:
    """Whether a text has a word, or several words that follow one another."""
    return f" {' '.join(word.split())} " in f" {' '.join(text.split())} "
