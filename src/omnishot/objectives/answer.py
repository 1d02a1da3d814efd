"""Answers to questions about a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from omnishot.errors import choose
from omnishot.metrics.answers import answer_figures
from omnishot.objectives.text import TextObjective, Told

#: Where answers come from.
ANY, TASK = AMONG = ("any", "task")


class Answer(TextObjective):
    """A short answer a row, the question being one of its inputs.

    VQA's soft accuracy (Antol et al., ICCV 2015, §3) of the answers that are generated and of those that are chosen
    among the answers of the support rows, which then are the task's classes. Each of the answers that people gave
    counts alike in learning.

    Args:
        among: the answers that are given: `any` that can be generated, or those of the `task`.
        said: what all objectives whose target is a text take (`TextObjective`).
    """

    name = "answer"
    metric = "soft_accuracy"
    longest = 8
    keeps_texts = True

    def __init__(self, tokens: Sequence[str] = (), *, among: str = "any", **said: Any):
        super().__init__(tokens, **said)
        self.among = choose("among", among, AMONG)

    def kept(self, prediction: Any) -> Tensor:
        """The generated answer and the chosen one of every row, `[rows, 2, longest]`."""
        return torch.stack([super().kept(prediction), prediction.likeliest_support_text(self.longest)], 1)

    def answers(self, kept: Tensor, names: Sequence[str]) -> np.ndarray:
        return super().answers(kept[:, AMONG.index(self.among)], names)

    def aggregate(self, episodes: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        ways = [self.figures([self.told(said[:, i], target) for said, target in episodes]) for i in range(len(AMONG))]
        found = ways[AMONG.index(self.among)]
        labels = zip(("generated", "chosen"), ways, strict=True)
        return found | {f"{name}_{how}": value for how, each in labels for name, value in each.items()}

    def figures(self, episodes: Sequence[Told]) -> dict[str, tuple[float, float]]:
        return answer_figures([(said, texts) for said, texts, _ in episodes])

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"among": self.among}
