"""Tasks from rows without a group column: rows with similar texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Rows of a cluster on average, and dimensions of the space in which rows are clustered.
SIZE, WIDTH = 40, 64


def text_clusters(texts: Sequence[Sequence[str]], parts: np.ndarray, seed: int, size: int = SIZE) -> np.ndarray:
    """The cluster of each row, int64 `[n]`, -1 for rows without a text or a part; no cluster spans two parts.

    k-means over TF-IDF of words, in a space of few dimensions (Deerwester et al. 1990), in each part separately.
    """
    from sklearn.cluster import KMeans  # slow to import
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    joined = np.array([" ".join(" ".join(row).lower().split()) for row in texts], dtype=object)
    codes, first = np.full(len(joined), -1, dtype=np.int64), 0
    for part in sorted(set(parts.tolist()) - {""}):
        rows = np.flatnonzero((parts == part) & (joined != ""))
        count = max(1, min(len(rows) // size, len({*joined[rows]})))
        clusters = np.zeros(len(rows), dtype=np.int64)
        if count > 1:
            words = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]", sublinear_tf=True).fit_transform(joined[rows])
            space = words.toarray()
            if words.shape[1] > WIDTH:
                space = TruncatedSVD(WIDTH, random_state=seed).fit_transform(words)
            clusters = KMeans(count, n_init=1, random_state=seed).fit_predict(normalize(space))
        codes[rows] = first + clusters
        first += count
    return codes
