"""Transcripts: what was said."""

from __future__ import annotations

from collections.abc import Sequence

from omnishot.metrics.speech import transcript_figures
from omnishot.objectives.text import TextObjective, Told


class Transcribe(TextObjective):
    """A transcript a row, written character by character; word and character error rates."""

    name = "transcribe"
    metric = "character_error_rate"
    unit = "character"
    decoder = "ctc"
    longest = 80
    own_words = 0

    def figures(self, episodes: Sequence[Told]) -> dict[str, tuple[float, float]]:
        return transcript_figures([(said, [row[0] for row in texts]) for said, texts, _ in episodes])
