"""Calibration error and temperature against slow plain computations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from omnishot.objectives.calibration import (
    BINS,
    LIMIT,
    accuracy_at_coverage,
    calibration_counts,
    calibration_error,
    fit_temperature,
)


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def random_task(seed: int, rows: int, ways: int, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that know something of the target."""
    rng = np.random.default_rng(seed)
    target = rng.integers(ways, size=rows)
    return rng.normal(size=(rows, ways)) * spread + 2 * np.eye(ways)[target], target


def plain_calibration_error(probabilities: np.ndarray, target: np.ndarray) -> float:
    """Guo et al. 2017, eq. 3, one row and one bin at a time."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for p, t in zip(probabilities, target, strict=True):
        confidence = max(p)
        bins[min(math.floor(confidence * BINS), BINS - 1)].append((confidence, list(p).index(confidence) == t))
    error = 0.0
    for members in bins:
        if members:
            confidence = sum(c for c, _ in members) / len(members)
            accuracy = sum(right for _, right in members) / len(members)
            error += len(members) / len(target) * abs(accuracy - confidence)
    return error


@given(st.integers(0, 2**32), st.integers(1, 200), st.integers(2, 7), st.floats(0.1, 10))
def test_calibration_error_equals_a_plain_computation(seed, rows, ways, spread):
    logits, target = random_task(seed, rows, ways, spread)
    probabilities = softmax(logits)
    error = calibration_error(calibration_counts(probabilities, target))
    assert float(error) == pytest.approx(plain_calibration_error(probabilities, target), abs=1e-12)


def test_calibration_error_where_it_is_known():
    sure = np.eye(4)[[0, 1, 2, 3]]  # confidence 1 belongs to the last bin
    assert calibration_error(calibration_counts(sure, np.arange(4))) == 0
    assert calibration_error(calibration_counts(sure, (np.arange(4) + 1) % 4)) == 1
    assert calibration_counts(sure, np.arange(4))[:, -1].tolist() == [4, 4, 4]
    half = np.full((10, 2), 0.5)
    assert calibration_error(calibration_counts(half, np.arange(10) % 2)) == 0


# -- temperature -------------------------------------------------------------------------------------------


def drawn(seed: int, temperature: float, rows: int = 200, ways: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose true temperature is known: targets are drawn from softmax(scores / temperature)."""
    rng = np.random.default_rng(seed)
    scores = 2 * temperature * rng.normal(size=(rows, ways))
    luck = rng.random((rows, 1))
    return scores, (softmax(scores / temperature).cumsum(1) < luck).sum(1).clip(max=ways - 1)


def plain_loss(temperature: float, episodes: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Negative log-likelihood of all rows, and of one more that was labelled by chance."""
    rows = sum(len(target) for _, target in episodes)
    total = 0.0
    for scores, target in episodes:
        log_p = log_softmax(scores / temperature, 1)
        total -= log_p[np.arange(len(target)), target].sum() + log_p.mean(1).sum() / rows
    return total


@pytest.mark.parametrize("temperature", [0.02, 0.5, 1.0, 3.0, 400.0])
def test_a_temperature_that_is_known_is_found(temperature):
    episodes = [drawn(seed, temperature, ways=2 + seed % 4) for seed in range(50)]
    assert fit_temperature(episodes) == pytest.approx(temperature, rel=0.05)


@given(st.integers(0, 2**32), st.floats(0.5, 5), st.integers(1, 4))
def test_no_other_temperature_is_likelier(seed, spread, count):
    episodes = [random_task(seed + i, 8 + i, 2 + i, spread) for i in range(count)]
    results = fit_temperature(episodes)
    deviation = math.log(np.concatenate([scores.var(1) for scores, _ in episodes]).mean() ** 0.5)
    bounds = (deviation - math.log(LIMIT), deviation + math.log(LIMIT))
    expected = minimize_scalar(lambda log_t: plain_loss(math.exp(log_t), episodes), bounds=bounds, method="bounded")
    assert plain_loss(results, episodes) <= expected.fun * (1 + 1e-9)


@given(st.integers(0, 2**32), st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_temperature_goes_with_the_scale_of_scores_and_not_with_their_level(seed, scale, level):
    scores, target = random_task(seed, 60, 4)
    expected = scale * fit_temperature([(scores, target)])
    assert fit_temperature([(scale * scores + level, target)]) == pytest.approx(expected, rel=1e-6)


def test_answers_that_are_all_right_are_believed_as_far_as_their_number_goes():
    """Without the row labelled by chance every row would get a probability of 1."""

    def doubt(rows: int) -> float:
        scores, target = random_task(0, rows, 4)
        scores = np.abs(scores) * (2 * np.eye(4)[target] - 1)
        return float((1 - softmax(scores / fit_temperature([(scores, target)])).max(1)).mean())

    for rows in (20, 200, 2000):
        assert 0.3 / rows < doubt(rows) < 10 / rows


def test_scores_that_say_nothing_become_even_chances():
    scores, target = random_task(0, 500, 5)
    wrong = fit_temperature([(-scores, target)])  # worse than chance
    assert wrong == pytest.approx(LIMIT * scores.std(1).mean(), rel=0.1)
    assert softmax(-scores / wrong).max() < 0.21
    assert fit_temperature([(np.zeros((9, 3)), np.arange(9) % 3)]) == 1
    assert fit_temperature([]) == 1


def test_rows_whose_scores_are_no_numbers_count_for_nothing():
    scores, target = random_task(0, 60, 4)
    broken = scores.copy()
    broken[::7, 1], broken[1::7, 0] = math.nan, math.inf
    whole = np.isfinite(broken).all(1)
    assert fit_temperature([(broken, target)]) == fit_temperature([(scores[whole], target[whole])])
    assert fit_temperature([(np.full((3, 2), math.nan), np.zeros(3, int))]) == 1


def test_float32_scores_are_no_less_exact():
    scores, target = random_task(1, 200, 5)
    single = scores.astype(np.float32)
    assert fit_temperature([(single, target)]) == fit_temperature([(single.astype(np.float64), target)])


# -- coverage ----------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.integers(1, 60), st.floats(0.01, 1))
def test_accuracy_at_coverage_is_that_of_the_surest(seed, rows, coverage):
    rng = np.random.default_rng(seed)
    confidence, right = rng.random(rows), rng.random(rows) < 0.5
    ranked = sorted(zip(confidence, right, strict=True), reverse=True)[: math.ceil(coverage * rows)]
    expected = sum(r for _, r in ranked) / len(ranked)
    assert accuracy_at_coverage(confidence, right, coverage) == pytest.approx(expected)
    assert accuracy_at_coverage(confidence, right, 1.0) == pytest.approx(right.mean())
