"""Accuracy, loss and calibration against slow plain computations and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss

from omnishot.episodes.rows import Rows
from omnishot.objectives.classify import BINS, Classify, calibration_counts, calibration_error

OBJECTIVE = Classify()


def random_task(seed: int, rows: int, ways: int, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that know something of the target."""
    rng = np.random.default_rng(seed)
    target = rng.integers(ways, size=rows)
    return rng.normal(size=(rows, ways)) * spread + 2 * np.eye(ways)[target], target


def rows_of(target: np.ndarray, ways: int) -> Rows:
    return Rows({}, torch.ones(len(target), 1, dtype=torch.bool), torch.from_numpy(target), None, ways)


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


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


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(2, 7))
def test_accuracy_and_loss_equal_scikit_learn(seed, rows, ways):
    logits, target = random_task(seed, rows, ways)
    figures = OBJECTIVE.metrics(torch.from_numpy(logits), rows_of(target, ways))
    assert figures["accuracy"] == pytest.approx(accuracy_score(target, logits.argmax(1)), abs=1e-12)
    assert figures["loss"] == pytest.approx(log_loss(target, softmax(logits), labels=range(ways)), rel=1e-9)
    assert OBJECTIVE.loss(torch.from_numpy(logits), rows_of(target, ways)).item() == figures["loss"]


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


def test_pooled_error_is_over_all_rows_of_all_episodes_whatever_their_ways():
    episodes = [random_task(seed, 10 + seed, 2 + seed % 4) for seed in range(30)]
    value, half_width = OBJECTIVE.pooled(episodes)["calibration_error"]
    confidence = np.concatenate([softmax(p).max(1) for p, _ in episodes])
    right = np.concatenate([p.argmax(1) == t for p, t in episodes])
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    wanted = sum(abs((right - confidence)[bin_of == b].sum()) for b in range(BINS)) / len(right)
    assert value == pytest.approx(wanted, abs=1e-12)
    assert half_width > 0
    assert OBJECTIVE.pooled(episodes)["calibration_error"] == (value, half_width)  # nothing random is left


def test_the_interval_is_about_two_standard_errors_and_shrinks_with_the_root_of_the_episodes():
    """Against the spread of the figure over fresh sets of episodes, which is what the interval estimates."""

    def figure(start: int, episodes: int) -> tuple[float, float]:
        drawn = [random_task(start + i, 20, 5, spread=3.0) for i in range(episodes)]
        return OBJECTIVE.pooled(drawn)["calibration_error"]

    values = [figure(1000 * k, 100)[0] for k in range(60)]
    half_width = float(np.mean([figure(1000 * k, 100)[1] for k in range(10)]))
    assert half_width == pytest.approx(1.96 * np.std(values, ddof=1), rel=0.25)
    assert figure(0, 400)[1] == pytest.approx(half_width / 2, rel=0.25)


def test_confident_float32_predictions_do_not_fall_out_of_the_bins():
    logits = np.array([[200.0, 0.0], [0.0, 200.0], [3e38, -3e38]], np.float32)
    value, half_width = OBJECTIVE.pooled([(logits, np.array([0, 1, 0]))])["calibration_error"]
    assert value == 0
    assert half_width == 0


def test_outputs_and_json():
    assert OBJECTIVE.outputs(7) == 7
    assert OBJECTIVE.to_json() == {"name": "classify"}


def test_predictions_that_are_no_numbers_are_not_confident():
    logits = torch.tensor([[math.nan, math.nan], [9.0, -9.0]], dtype=torch.float64)
    error, half = OBJECTIVE.pooled([(logits.numpy(), np.array([1, 0]))])["calibration_error"]
    assert error == pytest.approx(0, abs=1e-6)  # wrong with confidence 0, right with confidence 1
    assert half == 0
