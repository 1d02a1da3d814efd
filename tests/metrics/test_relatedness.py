import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import mean_squared_error

from omnishot.errors import DataError
from omnishot.metrics.relatedness import relatedness, relatedness_figures


def test_is_scipys_and_scikit_learns_on_random_pairs() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        expected = rng.integers(1, 6, rng.integers(3, 30)).astype(float)  # many ties
        predicted = np.round(expected + rng.normal(0, 2, len(expected)), int(rng.integers(0, 3)))
        if np.ptp(expected) == 0 or np.ptp(predicted) == 0:
            continue
        results = relatedness(predicted, expected)
        assert results["pearson"] == pytest.approx(pearsonr(predicted, expected).statistic, abs=1e-10)
        assert results["spearman"] == pytest.approx(spearmanr(predicted, expected).statistic, abs=1e-10)
        assert results["mse"] == pytest.approx(mean_squared_error(expected, predicted))


def test_constant_sides_have_no_correlation() -> None:
    assert relatedness(np.ones(4), np.arange(4.0)) == {"pearson": 0.0, "spearman": 0.0, "mse": 1.5}


def test_figures_pool_the_pairs_of_all_episodes() -> None:
    rng = np.random.default_rng(1)
    expected = rng.random((40, 6))
    predicted = expected + rng.normal(0, 0.2, (40, 6))
    figures = relatedness_figures(list(zip(predicted, expected, strict=True)))
    assert {n: v for n, (v, _) in figures.items()} == pytest.approx(relatedness(predicted.ravel(), expected.ravel()))
    assert all(0 < half < 0.1 for _, half in figures.values())
    order = rng.permutation(6)
    moved = relatedness_figures(list(zip(predicted[:, order], expected[:, order], strict=True)))
    for name, value in figures.items():
        assert moved[name] == pytest.approx(value)


def test_perfect_and_turned_round() -> None:
    expected = np.array([1.0, 2.0, 4.5])
    assert relatedness(expected, expected) == pytest.approx({"pearson": 1, "spearman": 1, "mse": 0})
    assert relatedness(-expected, expected)["spearman"] == pytest.approx(-1)
    with pytest.raises(DataError, match="got 3 and 2"):
        relatedness(expected, expected[:2])
