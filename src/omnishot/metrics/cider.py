"""CIDEr-D: n-grams that a sentence shares with its references, weighed by their rarity."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np

SIGMA = 6.0
ORDERS = (1, 2, 3, 4)
Gram = tuple[str, ...]


def cider_d(hypotheses: Sequence[str], references: Sequence[Sequence[str]], sigma: float = SIGMA) -> np.ndarray:
    """CIDEr-D of each row, 0 … 10, `[rows]`; the figure of a corpus is its mean.

    Vedantam, Zitnick, Parikh, CIDEr, CVPR 2015, §4 and §6 (CIDEr-D): of n-grams, n = 1 … 4, the cosine of weighted
    counts, a hypothesis's weights clipped to the reference's, and a Gaussian penalty on the difference in length.
    Words are as given (not stemmed), as in the authors' published code. A gram's weight is the log of rows over rows
    whose references have it, so one that every row has weighs nothing, and the score of a single row is 0.

    Args:
        hypotheses: words separated by blanks; an empty one scores 0.
        references: at least one sentence for each row. Document frequencies are over these rows.
        sigma: width of the penalty, in words.
    """
    # The sentences of one picture come again in many episodes.
    counted = cache(grams)
    rows = [[counted(text) for text in row] for row in references]
    having = Counter(gram for row in rows for gram in set().union(*row))
    log_rows = math.log(max(len(rows), 1))
    # What no reference has is as rare as what one row has.
    rarity = {gram: log_rows - math.log(n) for gram, n in having.items()}

    @cache
    def weighted(text: str) -> tuple[dict[Gram, float], list[float], int]:
        """Weight of each gram, norms by n, and words."""
        weights = {gram: n * rarity.get(gram, log_rows) for gram, n in counted(text).items()}
        squares = [0.0] * len(ORDERS)
        for gram, weight in weights.items():
            squares[len(gram) - 1] += weight * weight
        return weights, [math.sqrt(s) for s in squares], len(text.split())

    def similarity(hypothesis: str, reference: str) -> float:
        grams_h, norms_h, words_h = weighted(hypothesis)
        grams_r, norms_r, words_r = weighted(reference)
        products = [0.0] * len(ORDERS)
        for gram, weight in grams_h.items():
            other = grams_r.get(gram, 0.0)
            products[len(gram) - 1] += min(weight, other) * other
        norms = [a * b for a, b in zip(norms_h, norms_r, strict=True)]
        cosines = [p / norm if norm else 0.0 for p, norm in zip(products, norms, strict=True)]
        return sum(cosines) / len(ORDERS) * math.exp(-((words_h - words_r) ** 2) / (2 * sigma**2))

    pairs = zip(hypotheses, references, strict=True)
    return np.array([10 * sum(similarity(h, r) for r in row) / len(row) for h, row in pairs], dtype=np.float64)


def grams(text: str) -> Counter[Gram]:
    """Counts of the n-grams of a sentence, n = 1 … 4."""
    words = text.split()
    return Counter(tuple(words[i : i + n]) for n in ORDERS for i in range(len(words) - n + 1))
