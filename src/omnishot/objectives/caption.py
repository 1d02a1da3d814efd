"""Sentences: what a picture, or anything else, shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omnishot.episodes.rows import Rows, target_of
from omnishot.metrics.new_words import new_word_figures
from omnishot.metrics.sentences import corpus_figures
from omnishot.objectives.text import TextEpisode, TextObjective


class Caption(TextObjective):
    """A sentence a row, as good as people's: each of a row's sentences counts alike.

    BLEU-1…4 (corpus), ROUGE-L, CIDEr-D; recall and precision of a task's own words; token accuracy without
    padding.
    """

    name = "caption"
    metric = "bleu4"

    def metrics(self, prediction: Any, rows: Rows) -> dict[str, float]:
        return super().metrics(prediction, rows) | {"token_accuracy": prediction.accuracy(target_of(rows)).item()}

    def figures(self, episodes: Sequence[TextEpisode]) -> dict[str, tuple[float, float]]:
        return corpus_figures([(episode.written, episode.references) for episode in episodes]) | new_word_figures(
            episodes
        )
