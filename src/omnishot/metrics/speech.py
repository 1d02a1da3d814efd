"""Word and character error rates of transcripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from omnishot.errors import DataError
from omnishot.metrics.resampling import ratio, resampled


def transcript_figures(episodes: Sequence[tuple[Sequence[str], Sequence[str]]]) -> dict[str, tuple[float, float]]:
    """`word_error_rate` and `character_error_rate` of all episodes together, as (value, half its 95% interval).

    The substitutions, deletions and insertions of all rows over the words or characters of all references, as jiwer
    counts them; characters include the blanks between words. More than 1 where insertions outnumber the references'
    words. The intervals are over episodes, by resampling them.

    Args:
        episodes: a (hypotheses `[rows]`, references `[rows]`) pair for each. Where a reference is empty,
            each inserted word is an error.

    Raises:
        DataError: if every reference is empty, for then there is no rate.
    """
    words = np.array([error_counts(*episode, unit="word") for episode in episodes]).reshape(-1, 2)
    characters = np.array([error_counts(*episode, unit="character") for episode in episodes]).reshape(-1, 2)
    if not words[:, 1].sum():
        raise DataError("Every reference transcript is empty: there is no error rate without a word.")
    return {
        "word_error_rate": resampled(ratio, words),
        "character_error_rate": resampled(ratio, characters),
    }


def error_counts(hypotheses: Sequence[str], references: Sequence[str], unit: str = "word") -> tuple[int, int]:
    """Errors, and the length of the references, in words or characters (`unit`)."""
    import jiwer

    if len(hypotheses) != len(references):
        raise DataError(f"{len(hypotheses)} transcripts but {len(references)} references.")
    pairs = [(h, r) for h, r in zip(hypotheses, references, strict=True) if r.strip()]
    of_silence = [h for h, r in zip(hypotheses, references, strict=True) if not r.strip()]
    insertions = sum(len(h.split()) if unit == "word" else len(h.strip()) for h in of_silence)
    if not pairs:
        return insertions, 0
    count = jiwer.process_words if unit == "word" else jiwer.process_characters
    counted: Any = count([r for _, r in pairs], [h for h, _ in pairs])
    missed = counted.substitutions + counted.deletions
    return missed + counted.insertions + insertions, missed + counted.hits
