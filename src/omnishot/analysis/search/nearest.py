"""Nearest neighbours among unit vectors: exact up to a hundred thousand, through an index beyond."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from omnishot.errors import UsageError

#: Up to so many vectors, a query is compared with all of them.
EXACT = 100_000
#: Share of the index's cells that a query is compared with, and their least number.
PROBED_FRACTION, LEAST_PROBED = 1 / 16, 32
#: Vectors per cell that the k-means of the index is fitted on, at most.
SAMPLE = 64


class Nearest:
    """Unit vectors, searched by their cosine.

    The index is faiss's inverted file: k-means divides the vectors into 4√n cells, and a query is compared exactly with
    the vectors of the cells whose centres are nearest (a sixteenth of them, at least 32). It may miss a neighbour; the
    cosines it returns are exact.

    Args:
        vectors: float32 `[n, dim]` of unit length.
        exact: whether every query is compared with all of them; None: up to `EXACT` vectors.

    Raises:
        UsageError: if an index is needed and faiss is not installed.
    """

    def __init__(self, vectors: np.ndarray, exact: bool | None = None):
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self.exact = len(vectors) <= EXACT if exact is None else exact
        self.index = None if self.exact else _inverted_file(self.vectors)

    def find(self, queries: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
        """Cosines (descending) and indices of the nearest vectors, `[queries, at most top]` each; ties by index.

        There are fewer than `top` columns if there are fewer vectors; index -1 where the index found no more.
        """
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        top = min(top, len(self.vectors))
        if self.index is not None:
            return self.index.search(queries, top)
        cosines = queries @ self.vectors.T
        if 4 * top < len(self.vectors):  # keep all that tie with the last one, to order ties by index
            least = np.partition(cosines, -top, axis=1)[:, -top, None]
            kept = [np.flatnonzero(row) for row in cosines >= least]
        else:
            kept = [np.arange(len(self.vectors))] * len(queries)
        order = [own[np.argsort(-row[own], kind="stable")[:top]] for row, own in zip(cosines, kept, strict=True)]
        numbers = np.array(order, dtype=np.int64).reshape(len(queries), top)
        return np.take_along_axis(cosines, numbers, 1), numbers


def _inverted_file(vectors: np.ndarray) -> Any:
    try:
        import faiss
    except ImportError:
        raise UsageError(
            f"{len(vectors):,} rows are searched with faiss, which is not installed: pip install "
            "'omnishot[search]', or compare all of them with exact=True (--exact)"
        ) from None
    size, dim = vectors.shape
    cells = max(1, min(int(4 * math.sqrt(size)), size // 4))
    index: Any = faiss.index_factory(dim, f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = 0, SAMPLE, 1
    index.nprobe = min(cells, max(LEAST_PROBED, int(cells * PROBED_FRACTION)))
    index.train(vectors)
    index.add(vectors)
    return index
