"""The nearest of many unit vectors: exactly by a product, and past a hundred thousand through an index."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from omnishot.errors import UsageError

#: Rows up to which all of them are compared.
EXACT = 100_000
#: Share of the index's cells that a query looks into, and how many at least.
LOOKED, LEAST = 1 / 16, 32
#: Vectors a cell that the cells are found from.
SAMPLE = 64


class Nearest:
    """Unit vectors to be found by their cosine.

    The index is faiss's inverted file: k-means of the vectors into 4√n cells, of which a query looks into those whose
    centres are nearest (a sixteenth, 32 at least), and compares the vectors there exactly. So it may miss a neighbour,
    and never gets a cosine wrong.

    Args:
        vectors: float32 `[n, dim]` of unit length.
        exact: whether every query is compared with all of them; None: up to `EXACT` vectors.

    Raises:
        UsageError: if an index is wanted and faiss is not installed.
    """

    def __init__(self, vectors: np.ndarray, exact: bool | None = None):
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self.exact = len(vectors) <= EXACT if exact is None else exact
        self.index = None if self.exact else _inverted_file(self.vectors)

    def find(self, queries: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
        """Cosines, falling, and numbers of the nearest vectors: `[queries, at most top]` each; of equals the first.

        Fewer than `top` are found where there are no more; a number of -1 stands where an index found no more.
        """
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        top = min(top, len(self.vectors))
        if self.index is not None:
            return self.index.search(queries, top)
        cosines = queries @ self.vectors.T
        if 4 * top < len(self.vectors):  # all that are as near as the last one wanted, to choose among equals
            least = np.partition(cosines, -top, axis=1)[:, -top, None]
            kept = [np.flatnonzero(row) for row in cosines >= least]
        else:
            kept = [np.arange(len(self.vectors))] * len(queries)
        found = [own[np.argsort(-row[own], kind="stable")[:top]] for row, own in zip(cosines, kept, strict=True)]
        numbers = np.array(found, dtype=np.int64).reshape(len(queries), top)
        return np.take_along_axis(cosines, numbers, 1), numbers


def _inverted_file(vectors: np.ndarray) -> Any:
    try:
        import faiss
    except ImportError:
        raise UsageError(
            f"{len(vectors):,} rows are searched through faiss, which is not installed: pip install "
            "'omnishot[search]', or compare all of them with exact=True (--exact)"
        ) from None
    size, dim = vectors.shape
    cells = max(1, min(int(4 * math.sqrt(size)), size // 4))
    index: Any = faiss.index_factory(dim, f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = 0, SAMPLE, 1
    index.nprobe = min(cells, max(LEAST, int(cells * LOOKED)))
    index.train(vectors)
    index.add(vectors)
    return index
