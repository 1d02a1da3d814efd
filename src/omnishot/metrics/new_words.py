"""Recall and precision of a task's own words in generated sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from omnishot.metrics.resampling import ratio, resampled
from omnishot.metrics.sentences import references_of

#: Generated sentences, of each row the references, and the task's own words.
Episode = tuple[Sequence[str], Sequence[Sequence[str]], Sequence[str]]


def new_word_figures(episodes: Sequence[Episode], by: Literal["any", "all"] = "any") -> dict[str, tuple[float, float]]:
    """`new_word_recall` and `new_word_precision` over all episodes, as (value, half its 95% interval over episodes).

    Every row and word of an episode is one case. It is relevant if references of the row contain the word, and
    retrieved if the generated sentence does. Either figure is 0 where it has no case.

    Args:
        by: whether a case is relevant if any of the row's references contains the word, or only if all do.
    """
    counts = np.array([new_word_counts(*episode, by=by) for episode in episodes])
    names = (("new_word_recall", [0, 1]), ("new_word_precision", [0, 2]))
    return {name: resampled(ratio, counts[:, columns]) for name, columns in names}


def new_word_counts(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    words: Sequence[str],
    by: Literal["any", "all"] = "any",
) -> tuple[int, int, int]:
    """Cases that are relevant and retrieved, that are relevant, and that are retrieved."""
    agreed = {"any": any, "all": all}[by]
    cases = [
        (contains(hypothesis, word), agreed(contains(reference, word) for reference in row))
        for hypothesis, row in zip(hypotheses, references_of(hypotheses, references), strict=True)
        for word in words
    ]
    return sum(a and b for a, b in cases), sum(b for _, b in cases), sum(a for a, _ in cases)


def contains(text: str, word: str) -> bool:
    """Whether a text contains a word, or several words in a row."""
    return f" {' '.join(word.split())} " in f" {' '.join(text.split())} "
