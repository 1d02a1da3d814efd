"""Cross-modal retrieval: recall and rank of a row given another of its inputs, in galleries of unseen rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from omnishot.core import seeds
from omnishot.errors import DataError, UsageError, choose
from omnishot.evaluation.embeddings import unit_vectors
from omnishot.evaluation.figure import Figure, Origin, Results
from omnishot.experiment.dataset import Dataset
from omnishot.learners.base import Learner
from omnishot.metrics.retrieval import Places, figures_of, places, together

#: Ends the name of a metric under equal similarities.
CHANCE = "_by_chance"
#: Queries that are compared with their gallery at a time.
BLOCK = 1000
CLASS, ROW = RIGHT = ("class", "row")


def retrieval_figures(
    learner: Learner,
    data: Dataset,
    inputs: Sequence[str],
    origin: Origin,
    *,
    gallery: int | None = None,
    right: str = CLASS,
    episodes: int = 600,
    seed: int = 0,
) -> list[Figure]:
    """`recall_at_1`, `_5`, `_10` and `median_rank` in both directions between two inputs, and the same by chance.

    Rows are compared by the cosine of the inputs' embeddings under the trained parameters; no task is learned. Every
    row of a gallery has both inputs. It is a query once by each of them, and is searched by the other.

    Args:
        inputs: two of them.
        origin: learner, fusion and part, for the figures.
        gallery: rows of a gallery, each of another class; None: one gallery of all rows of the part, whose interval is
            over the rows.
        right: the correct matches: `class`, rows of the same class (without classes every row is its own class), or
            `row`, the row itself whatever its class.
        episodes: number of galleries.

    Raises:
        UsageError: for invalid options, or a network without embeddings.
        DataError: if the part has too few rows with both inputs.
    """
    began = time.perf_counter()
    rows, classes = _candidates(data, inputs, origin.split, gallery, right)
    chosen = galleries(classes, gallery, episodes, seed, origin.split)
    vectors = [unit_vectors(learner, learner.params(), data.store, name, rows) for name in inputs]
    results = _results(inputs, classes, vectors, chosen)
    common: dict[str, Any] = {"learner": origin.learner, "fusion": origin.fusion, "split": origin.split}
    common |= {"episodes": len(chosen), "gallery": len(chosen[0]), "queries": len(chosen[0]), "ways": None, "shots": 0}
    common |= {"modalities": tuple(inputs), "seed": seed, "seconds": round(time.perf_counter() - began, 3)}
    return [Figure(metric=metric, mean=mean, ci95=ci95, **common) for metric, (mean, ci95) in results.items()]


def _candidates(
    data: Dataset, inputs: Sequence[str], part: str, gallery: int | None, right: str
) -> tuple[np.ndarray, np.ndarray]:
    """The rows `[n]` of a part that have both inputs, and the class `[n]` of each.

    Raises:
        UsageError: for invalid options.
        DataError: if there are fewer than two such rows.
    """
    if len(set(inputs)) != 2:
        raise UsageError(f"retrieval is between two inputs, not {', '.join(inputs) or 'none'}")
    if gallery is not None and gallery < 2:
        raise UsageError(f"a gallery must have at least 2 rows, not {gallery}")
    names = list(data.store.modalities)
    both = data.store.present[:, [names.index(name) for name in inputs]].all(1)
    rows = np.flatnonzero((data.parts == part) & both)
    of_class = choose("right", right, RIGHT) == CLASS and data.objective.has_classes
    if len(rows) < 2:
        what = f"{len(rows)} rows with {' and '.join(inputs)}"
        raise DataError(f"{data.table.name}: the part {part!r} has {what}: give a table with more, or another part")
    return rows, data.table.labels[0][rows] if of_class else np.arange(len(rows))


def _results(
    inputs: Sequence[str], classes: np.ndarray, vectors: Sequence[np.ndarray], galleries: Sequence[np.ndarray]
) -> Results:
    """Recall and rank in both directions, by unit vectors `[rows, dim]` and by chance (all equally similar)."""
    results: Results = {}
    first, second = vectors
    for suffix in ("", CHANCE):
        own = [(classes[g], first[g] if not suffix else first[g] * 0, second[g]) for g in galleries]
        for a, b, turned in ((*inputs, False), (*inputs[::-1], True)):
            each = [ranked(kind, *((y, x) if turned else (x, y))) for kind, x, y in own]
            results |= figures_of(each, f"_{a}_to_{b}{suffix}")
    return results


def galleries(classes: np.ndarray, size: int | None, episodes: int, seed: int, part: str) -> list[np.ndarray]:
    """Positions in `classes` `[rows]` of each gallery's rows, every row of another class; None: one gallery of all.

    Raises:
        DataError: if there are fewer classes than a gallery has rows.
    """
    if size is None:
        return [np.arange(len(classes))]
    order = np.argsort(classes, kind="stable")
    _, first, counts = np.unique(classes[order], return_index=True, return_counts=True)
    if size > len(first):
        what = "rows" if len(first) == len(classes) else "classes"
        raise DataError(
            f"a gallery of {size} rows needs as many {what}, the part {part!r} has {len(first)}: ask for fewer rows "
            "(--gallery), or for rows of any class (--right row)"
        )
    chosen = []
    for episode in range(episodes):
        rng = seeds.gallery(seed, episode)
        kinds = rng.choice(len(first), size, replace=False)
        chosen.append(order[first[kinds] + rng.integers(counts[kinds])])
    return chosen


def ranked(classes: np.ndarray, queries: np.ndarray, things: np.ndarray) -> Places:
    """The rank of the first match of each query by class, given unit vectors `[rows, dim]` of queries and gallery."""
    blocks = (slice(start, start + BLOCK) for start in range(0, len(queries), BLOCK))
    return together([places(queries[b] @ things.T, classes[b, None] == classes) for b in blocks])
