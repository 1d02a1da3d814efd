import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from omnishot.errors import DataError
from omnishot.metrics.tags import tag_scores


def test_is_scikit_learns_on_random_rows() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        shape = int(rng.integers(4, 20)), int(rng.integers(2, 4))
        target = rng.random(shape) < 0.4
        target[0] = True
        probabilities = np.round(np.clip(0.3 * target + 0.7 * rng.random(shape), 0, 1), 2)
        results = tag_scores(probabilities, target)
        written = probabilities >= 0.5
        assert results["mean_average_precision"] == pytest.approx(average_precision_score(target, probabilities))
        assert results["f1_micro"] == pytest.approx(f1_score(target, written, average="micro", zero_division=0.0))
        assert results["f1_macro"] == pytest.approx(f1_score(target, written, average="macro", zero_division=0.0))


def test_by_hand() -> None:
    target = np.array([[1, 0], [0, 0], [1, 0]])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.1], [0.3, 0.6]])
    # Right at ranks 1 and 3: (1 + 2/3)/2. One of two found, one of two said right; the label nobody has is left out.
    results = tag_scores(probabilities, target)
    assert results["mean_average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert results["f1_macro"] == pytest.approx(0.5)
    # ... but said once, which micro F1 counts: 1 right, 2 said wrongly, 1 missed.
    assert results["f1_micro"] == pytest.approx(2 / (2 + 2 + 1))


def test_perfect_nothing_and_order() -> None:
    rng = np.random.default_rng(1)
    target = rng.random((9, 4)) < 0.5
    target[0] = True
    assert set(tag_scores(target.astype(float), target).values()) == {1.0}
    assert set(tag_scores(rng.random((3, 2)), np.zeros((3, 2))).values()) == {0.0}
    probabilities = rng.random((9, 4))
    rows, labels = rng.permutation(9), rng.permutation(4)
    before, after = (
        tag_scores(probabilities, target),
        tag_scores(probabilities[rows][:, labels], target[rows][:, labels]),
    )
    assert before == pytest.approx(after)
    assert set(tag_scores(target[:, :1].astype(float), target[:, :1]).values()) == {1.0}
    with pytest.raises(DataError, match=r"\(9, 4\) but targets \(4, 9\)"):
        tag_scores(probabilities, target.T)
