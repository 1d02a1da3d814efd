"""Answers to questions about a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from omnishot.errors import choose
from omnishot.metrics.answers import answer_figures
from omnishot.objectives.text import TextEpisode, TextObjective

#: Which answers are possible.
ANY, TASK = AMONG = ("any", "task")


class Answer(TextObjective):
    """A short answer a row; the question is one of its inputs.

    Figures are VQA's soft accuracy (Antol et al., ICCV 2015, §3) of generated answers, and of answers chosen from those
    of the support rows, which then are the task's classes. In training all answers of a row have the same weight.

    Args:
        among: which answers are possible: `any` that can be generated, or those of the `task`'s support rows.
        tokens, unit, decoder, decoder_options, longest, own_words, beam, min_tasks: as of `TextObjective`.
    """

    name = "answer"
    metric = "soft_accuracy"
    longest = 8
    keeps_texts = True

    def __init__(
        self,
        tokens: Sequence[str] = (),
        *,
        among: str = "any",
        unit: str | None = None,
        decoder: str | None = None,
        decoder_options: Mapping[str, Any] | None = None,
        longest: int | None = None,
        own_words: int | None = None,
        beam: int = 3,
        min_tasks: int = 2,
    ):
        super().__init__(
            tokens,
            unit=unit,
            decoder=decoder,
            decoder_options=decoder_options,
            longest=longest,
            own_words=own_words,
            beam=beam,
            min_tasks=min_tasks,
        )
        self.among = choose("among", among, AMONG)

    def compact(self, prediction: Any) -> Tensor:
        """The generated answer and the chosen one of every row, `[rows, 2, longest]`."""
        return torch.stack([super().compact(prediction), prediction.likeliest_support_text(self.longest)], 1)

    def decode(self, compact: Tensor, names: Sequence[str]) -> np.ndarray:
        return super().decode(compact[:, AMONG.index(self.among)], names)

    def aggregate(self, episodes: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        """Soft accuracy of the answers given, and of generated and of chosen ones."""
        both = [self.figures([self.text_episode(p[:, i], t) for p, t in episodes]) for i in range(len(AMONG))]
        named = zip(("generated", "chosen"), both, strict=True)
        detail = {f"{name}_{how}": value for how, figures in named for name, value in figures.items()}
        return both[AMONG.index(self.among)] | detail

    def figures(self, episodes: Sequence[TextEpisode]) -> dict[str, tuple[float, float]]:
        return answer_figures([(episode.written, episode.references) for episode in episodes])

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"among": self.among}
