"""Tasks from texts that are alike."""

from __future__ import annotations

import numpy as np
import pytest

from omnishot.episodes.clusters import text_clusters

TOPICS = (("dog", "runs", "park"), ("ship", "sails", "sea"), ("train", "stops", "station"))


def corpus(rows: int, seed: int = 0) -> tuple[list[list[str]], np.ndarray]:
    """Captions of three topics, and which each is of."""
    rng = np.random.default_rng(seed)
    of = np.arange(rows) % 3
    return [[f"a {' '.join(rng.permutation(TOPICS[t]))}", f"the {TOPICS[t][0]} again"] for t in of], of


def test_alike_texts_are_together():
    texts, of = corpus(90)
    codes = text_clusters(texts, np.full(90, "train"), 0, size=30)
    assert codes.dtype == np.int64
    assert len(set(codes)) == 3
    assert len(set(zip(codes.tolist(), of.tolist(), strict=True))) == 3  # one topic a cluster


def test_no_two_parts_share_one_and_the_same_seed_gives_the_same():
    texts, _ = corpus(120)
    parts = np.array(["train", "val", "test", ""])[np.random.default_rng(1).integers(4, size=120)]
    texts[5], parts[5] = [], "train"
    codes = text_clusters(texts, parts, 0, size=10)
    assert ((codes < 0) == ((parts == "") | (np.arange(120) == 5))).all()
    members = [set(codes[parts == part].tolist()) - {-1} for part in ("train", "val", "test")]
    assert sum(map(len, members)) == len(set.union(*members))
    assert (np.sort(list(set.union(*members))) == np.arange(codes.max() + 1)).all()
    assert (codes == text_clusters(texts, parts, 0, size=10)).all()


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 9])
def test_few_rows_are_one_cluster(rows):
    texts, _ = corpus(rows)
    assert text_clusters(texts, np.full(rows, "train"), 0).tolist() == [0] * rows


@pytest.mark.parametrize("texts", [["the same"], ["—"], ["a", "b"], ["!!! ???", "!!!"], ["a", "A", " a "]], ids=str)
def test_texts_that_hardly_differ_or_have_no_word(texts):
    codes = text_clusters([[texts[i % len(texts)]] for i in range(100)], np.full(100, "train"), 0, size=20)
    assert set(codes.tolist()) == {*range(len({text.strip().lower() for text in texts}))}
