"""Transcripts of speech."""

from __future__ import annotations

from collections.abc import Sequence

from omnishot.metrics.speech import transcript_figures
from omnishot.objectives.text import TextEpisode, TextObjective


class Transcribe(TextObjective):
    """A transcript a row, written character by character; word and character error rates."""

    name = "transcribe"
    metric = "character_error_rate"
    unit = "character"
    decoder = "ctc"
    longest = 80
    own_words = 0

    def figures(self, episodes: Sequence[TextEpisode]) -> dict[str, tuple[float, float]]:
        return transcript_figures([(e.written, [texts[0] for texts in e.references]) for e in episodes])
