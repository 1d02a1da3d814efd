"""Words of a task that the shared vocabulary lacks: those of its support rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OwnWords:
    """Numbers the own words of each task by order, from the same number on in every task.

    Args:
        first: the number of the first own word; all tasks share the tokens below it.
        most: largest number of own words of a task; the first ones are kept.
        unknown: the token of any other word.
    """

    first: int
    most: int
    unknown: int

    def of(self, support: np.ndarray) -> np.ndarray:
        """The own words of one task's support rows `[rows, sentences, tokens]`, in the order of their numbers."""
        words, firsts = np.unique(support[support >= self.first], return_index=True)
        return words[np.argsort(firsts)][: self.most]

    def renumbered(self, tokens: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Tokens with the task's own words numbered from `first` on, any other as unknown."""
        numbers = np.where(tokens < self.first, tokens, self.unknown)
        for i, word in enumerate(own):
            numbers[tokens == word] = self.first + i
        return numbers.astype(np.int64)

    def of_tasks(self, support: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both halves of a meta-batch, `[tasks, rows, sentences, tokens]`, with each task's own words numbered.

        Texts are cut to the length of the longest sentence.
        """
        longest = max(1, *(int((half != 0).any((0, 1, 2)).sum()) for half in (support, query)))
        support, query = support[..., :longest], query[..., :longest]
        own = [self.of(rows) for rows in support]
        return tuple(
            np.stack([self.renumbered(rows, words) for rows, words in zip(half, own, strict=True)])
            for half in (support, query)
        )  # type: ignore[return-value]
