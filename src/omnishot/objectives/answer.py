"""Answers to questions about a row."""

from __future__ import annotations

from collections.abc import Sequence

from omnishot.metrics.answers import answer_figures
from omnishot.objectives.telling import Telling, Told


class Answer(Telling):
    """A short answer a row, the question being one of its inputs; VQA's soft accuracy (Antol et al., ICCV 2015, §3).

    Each of the answers that people gave counts alike in learning.
    """

    name = "answer"
    metric = "soft_accuracy"
    higher_is_better = True
    longest = 8

    def figures(self, episodes: Sequence[Told]) -> dict[str, tuple[float, float]]:
        return answer_figures([(said, texts) for said, texts, _ in episodes])
