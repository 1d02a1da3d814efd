import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import top_k_accuracy_score

from omnishot.errors import DataError
from omnishot.metrics.retrieval import both_ways, by_chance, places, retrieval_figures


def over_all_orders(similarity: np.ndarray, relevant: np.ndarray, k: int) -> tuple[float, float]:
    """Recall and rank of one query as the mean over every order of equally similar things."""
    orders = [o for o in itertools.permutations(range(len(similarity)))
              if all(similarity[a] >= similarity[b] for a, b in itertools.pairwise(o))]  # fmt: skip
    ranks = [1 + next(i for i, thing in enumerate(o) if relevant[thing]) for o in orders]
    return float(np.mean([rank <= k for rank in ranks])), float(np.mean(ranks))


def test_ties_are_the_mean_over_all_orders() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        similarity, relevant = rng.integers(0, 3, (1, 5)), rng.random((1, 5)) < 0.4
        if not relevant.any():
            continue
        results = places(similarity, relevant)
        for k in (1, 2, 4):
            recall, rank = over_all_orders(similarity[0], relevant[0], k)
            assert results.recall(k).item() == pytest.approx(recall)
            assert results.rank().item() == pytest.approx(rank)


def test_is_scikit_learns_top_k_on_random_galleries() -> None:
    rng = np.random.default_rng(1)
    for _ in range(1000):
        size = int(rng.integers(3, 15))
        similarity = rng.normal(size=(size, size)) + np.eye(size)
        figures = retrieval_figures([(similarity, np.eye(size, dtype=bool))], at=(1, 2))
        for k in (1, 2):
            expected = top_k_accuracy_score(np.arange(size), similarity, k=k, labels=np.arange(size))
            assert figures[f"recall_at_{k}"][0] == pytest.approx(expected)
        ranks = 1 + (similarity > np.diag(similarity)[:, None]).sum(1)
        assert figures["median_rank"][0] == pytest.approx(np.median(ranks))


def test_both_directions_by_hand() -> None:
    # Two pictures; three sentences, of which the last two are of picture 1.
    similarity = np.array([[0.9, 0.8, 0.1], [0.95, 0.2, 0.3]])
    relevant = np.array([[True, False, False], [False, True, True]])
    figures = both_ways([(similarity, relevant)], ("image", "text"), at=(1, 2))
    assert figures["recall_at_1_image_to_text"][0] == 0.5
    assert figures["recall_at_2_image_to_text"][0] == 1.0
    assert figures["median_rank_image_to_text"][0] == 1.5
    # Sentences 0 and 1 are nearer to the wrong picture.
    assert figures["recall_at_1_text_to_image"][0] == pytest.approx(1 / 3)
    assert figures["median_rank_text_to_image"][0] == 2


def test_the_same_similarity_everywhere_is_chance() -> None:
    figures = retrieval_figures(by_chance([(np.random.default_rng(0).random((20, 20)), np.eye(20, dtype=bool))]))
    assert {n: v for n, (v, _) in figures.items()} == pytest.approx(
        {"recall_at_1": 1 / 20, "recall_at_5": 5 / 20, "recall_at_10": 10 / 20, "median_rank": 10.5}
    )
    # Of 5 things 2 are right: the chance that none is among two drawn is 3/5 · 2/4.
    two = retrieval_figures([(np.zeros((3, 5)), np.tile([True, True, False, False, False], (3, 1)))], at=(1, 2, 5))
    assert two["recall_at_2"][0] == pytest.approx(1 - 0.3)
    assert two["recall_at_5"][0] == 1


def test_perfect_and_worst() -> None:
    right = np.eye(12, dtype=bool)
    assert retrieval_figures([(np.eye(12), right)])["recall_at_1"] == (1.0, 0.0)
    assert retrieval_figures([(np.eye(12), right)])["median_rank"] == (1.0, 0.0)
    assert retrieval_figures([(-np.eye(12), right)])["recall_at_10"][0] == 0.0
    broken = np.where(right, np.nan, 0.0)
    assert retrieval_figures([(broken, right)])["median_rank"][0] == 12


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 9), st.integers(0, 10_000))
def test_order_of_queries_and_things_changes_nothing(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    similarity, relevant = rng.integers(0, 4, (size, 7)), rng.random((size, 7)) < 0.5
    relevant[:, 0] = True
    before = retrieval_figures([(similarity, relevant)])
    queries, things = rng.permutation(size), rng.permutation(7)
    after = retrieval_figures([(similarity[queries][:, things], relevant[queries][:, things])])
    for name, (value, _) in before.items():
        assert after[name][0] == pytest.approx(value)


def test_intervals_are_over_queries_or_galleries() -> None:
    rng = np.random.default_rng(2)
    size = 200
    similarity, right = rng.normal(size=(size, size)) + 2 * np.eye(size), np.eye(size, dtype=bool)
    value, half = retrieval_figures([(similarity, right)])["recall_at_1"]
    assert half == pytest.approx(1.96 * math.sqrt(value * (1 - value) / size), rel=0.2)
    same = [(similarity, right)] * 5
    assert retrieval_figures(same)["recall_at_1"] == (pytest.approx(value), 0.0)
    assert retrieval_figures(same)["median_rank"][1] == 0.0


def test_wrong_shapes_and_queries_without_answer_are_refused() -> None:
    with pytest.raises(DataError, match=r"\(2, 3\) but right answers \(3, 2\)"):
        places(np.zeros((2, 3)), np.ones((3, 2), dtype=bool))
    with pytest.raises(DataError, match="answers query 1"):
        places(np.zeros((2, 3)), np.array([[True, False, False], [False, False, False]]))
