"""Recall and rank of what is found by similarity.

Equally similar things are in no order: every figure is its expectation over all orders of them, so similarities that
are all the same give exactly the figures of chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from omnishot.errors import DataError
from omnishot.metrics.resampling import ratio, resampled

AT = (1, 5, 10)


class Places(NamedTuple):
    """Where the first right answer to each query is, int `[queries]` each."""

    #: Things that are more similar than the first right answer: all of them wrong.
    before: np.ndarray
    #: Right and wrong things that are exactly as similar as it.
    right: np.ndarray
    wrong: np.ndarray

    def rank(self) -> np.ndarray:
        """Expected rank of the first right answer, from 1, `[queries]`."""
        return self.before + (self.right + self.wrong + 1) / (self.right + 1)

    def recall(self, k: int) -> np.ndarray:
        """Chance that a right answer is among the first `k`, `[queries]`."""
        left = np.clip(k - self.before, 0, self.right + self.wrong)
        missed = np.ones(len(left))
        for step in range(k):  # one of the equals is drawn after the other, all of them wrong
            undrawn = np.maximum(self.wrong + self.right - step, 1)
            missed *= np.where(step < left, np.maximum(self.wrong - step, 0) / undrawn, 1.0)
        return 1 - missed


def places(similarity: np.ndarray, relevant: np.ndarray) -> Places:
    """Where the first right answer to each query is.

    Args:
        similarity: `[queries, things]`; one that is not a number is the least.
        relevant: which things answer which query, bool of the same shape; several may.

    Raises:
        DataError: on shapes that differ, or a query that nothing answers.
    """
    if similarity.shape != relevant.shape or similarity.ndim != 2:
        raise DataError(f"Similarities are {similarity.shape} but right answers {relevant.shape}: [queries, things].")
    unanswered = np.flatnonzero(~relevant.any(1))
    if len(unanswered):
        raise DataError(f"Nothing among {relevant.shape[1]} things answers query {unanswered[0]}: leave it out.")
    similarity = np.where(np.isnan(similarity), -np.inf, similarity)
    best = np.where(relevant, similarity, -np.inf).max(1, keepdims=True)
    same = similarity == best
    return Places((similarity > best).sum(1), (same & relevant).sum(1), (same & ~relevant).sum(1))


def together(parts: Sequence[Places]) -> Places:
    """Places of several parts of the queries."""
    return Places(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def retrieval_figures(
    galleries: Sequence[tuple[np.ndarray, np.ndarray]], suffix: str = "", at: Sequence[int] = AT
) -> dict[str, tuple[float, float]]:
    """`recall_at_1` … and `median_rank` of all queries together, as (value, half its 95% interval).

    Args:
        galleries: a (similarity `[queries, things]`, relevant `[queries, things]`) pair for each.
        suffix: added to the names.
    """
    return figures_of([places(*gallery) for gallery in galleries], suffix, at)


def figures_of(
    of_galleries: Sequence[Places], suffix: str = "", at: Sequence[int] = AT
) -> dict[str, tuple[float, float]]:
    """`retrieval_figures` of the places in each gallery.

    The intervals are by resampling galleries; where there is only one, its queries.
    """
    figures = {}
    for k in at:
        recalls = _units([each.recall(k) for each in of_galleries])
        figures[f"recall_at_{k}{suffix}"] = resampled(ratio, np.array([(r.sum(), len(r)) for r in recalls]))
    ranks = _units([each.rank() for each in of_galleries])
    values, inverse = np.unique(np.concatenate(ranks), return_inverse=True)
    owner = np.repeat(np.arange(len(ranks)), [len(r) for r in ranks])
    counts = np.zeros((len(ranks), len(values)))
    np.add.at(counts, (owner, inverse), 1)
    figures[f"median_rank{suffix}"] = resampled(lambda sums: _median(values, sums), counts)
    return figures


def both_ways(
    galleries: Sequence[tuple[np.ndarray, np.ndarray]], names: tuple[str, str], at: Sequence[int] = AT
) -> dict[str, tuple[float, float]]:
    """`retrieval_figures` from rows to columns and back: `recall_at_1_image_to_text`, `recall_at_1_text_to_image` …"""
    a, b = names
    back = [(similarity.T, relevant.T) for similarity, relevant in galleries]
    return retrieval_figures(galleries, f"_{a}_to_{b}", at) | retrieval_figures(back, f"_{b}_to_{a}", at)


def by_chance(galleries: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same galleries with everything equally similar."""
    return [(np.zeros_like(similarity), relevant) for similarity, relevant in galleries]


def _units(values: list[np.ndarray]) -> list[np.ndarray]:
    """What is resampled: galleries, or the queries of the only one."""
    return values if len(values) > 1 else list(values[0][:, None])


def _median(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Median of rising values `[values]` that occur so often `[..., values]`."""
    below = counts.cumsum(-1)
    total = below[..., -1:]
    low = values[(below >= total / 2).argmax(-1)]
    high = values[(below >= np.floor(total / 2) + 1).argmax(-1)]
    return (low + high) / 2
