"""Accuracy, loss and calibration against slow plain computations and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score, log_loss

from omnishot.episodes.rows import Rows
from omnishot.objectives.calibration import BINS, fit_temperature
from omnishot.objectives.classify import Classify

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


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(2, 7))
def test_accuracy_and_loss_equal_scikit_learn(seed, rows, ways):
    logits, target = random_task(seed, rows, ways)
    figures = OBJECTIVE.metrics(torch.from_numpy(logits), rows_of(target, ways))
    assert figures["accuracy"] == pytest.approx(accuracy_score(target, logits.argmax(1)), abs=1e-12)
    assert figures["loss"] == pytest.approx(log_loss(target, softmax(logits), labels=range(ways)), rel=1e-9)
    assert OBJECTIVE.loss(torch.from_numpy(logits), rows_of(target, ways)).item() == figures["loss"]


def test_pooled_error_is_over_all_rows_of_all_episodes_whatever_their_ways():
    episodes = [random_task(seed, 10 + seed, 2 + seed % 4) for seed in range(30)]
    value, half_width = OBJECTIVE.aggregate(episodes)["calibration_error"]
    confidence = np.concatenate([softmax(p).max(1) for p, _ in episodes])
    right = np.concatenate([p.argmax(1) == t for p, t in episodes])
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    expected = sum(abs((right - confidence)[bin_of == b].sum()) for b in range(BINS)) / len(right)
    assert value == pytest.approx(expected, abs=1e-12)
    assert half_width > 0
    assert OBJECTIVE.aggregate(episodes)["calibration_error"] == (value, half_width)  # nothing random is left


def test_the_interval_is_about_two_standard_errors_and_shrinks_with_the_root_of_the_episodes():
    """Against the spread of the figure over fresh sets of episodes, which is what the interval estimates."""

    def figure(start: int, episodes: int) -> tuple[float, float]:
        drawn = [random_task(start + i, 20, 5, spread=3.0) for i in range(episodes)]
        return OBJECTIVE.aggregate(drawn)["calibration_error"]

    values = [figure(1000 * k, 100)[0] for k in range(60)]
    half_width = float(np.mean([figure(1000 * k, 100)[1] for k in range(10)]))
    assert half_width == pytest.approx(1.96 * np.std(values, ddof=1), rel=0.25)
    assert figure(0, 400)[1] == pytest.approx(half_width / 2, rel=0.25)


def test_confident_float32_predictions_do_not_fall_out_of_the_bins():
    logits = np.array([[200.0, 0.0], [0.0, 200.0], [3e38, -3e38]], np.float32)
    value, half_width = OBJECTIVE.aggregate([(logits, np.array([0, 1, 0]))])["calibration_error"]
    assert value == 0
    assert half_width == 0


def test_outputs_and_json():
    assert OBJECTIVE.outputs(7) == 7
    assert OBJECTIVE.to_json() == {"name": "classify"}
    assert Classify(1.7).to_json() == {"name": "classify", "temperature": 1.7}


@given(st.integers(0, 2**32), st.floats(0.05, 20))
def test_temperature_changes_probabilities_alone(seed, temperature):
    logits, target = random_task(seed, 40, 4)
    prediction, rows, tempered = torch.from_numpy(logits), rows_of(target, 4), Classify(temperature)
    assert np.allclose(tempered.probabilities(prediction), softmax(logits / temperature), atol=1e-12)
    before, after = OBJECTIVE.metrics(prediction, rows), tempered.metrics(prediction, rows)
    assert after["accuracy"] == before["accuracy"]
    assert after["loss"] == pytest.approx(-log_softmax(logits / temperature, 1)[np.arange(40), target].mean(), rel=1e-9)
    assert tempered.loss(prediction, rows) == OBJECTIVE.loss(prediction, rows)  # what training minimises
    merged = tempered.aggregate([(logits, target)])
    assert merged["calibration_error_raw"] == OBJECTIVE.aggregate([(logits, target)])["calibration_error"]
    assert merged["calibration_error"] == OBJECTIVE.aggregate([(logits / temperature, target)])["calibration_error"]


def test_scores_that_only_just_differ_are_not_made_equal_by_a_temperature():
    """In float32, numbers next to each other are the same after division by 1.5."""
    low = torch.arange(1.6, 1.7, 1e-4)
    near = torch.stack([low, low.nextafter(torch.tensor(2.0))], 1)
    near = near[(near / 1.5)[:, 0] == (near / 1.5)[:, 1]][:2].clone()
    near[1] = near[1].flip(0)
    assert Classify(1.5).metrics(near, rows_of(np.array([1, 0]), 2))["accuracy"] == 1
    assert Classify(1.5).probabilities(near).argmax(1).tolist() == [1, 0]


def test_the_surest_rows_are_those_of_the_highest_probability():
    logits = np.array([[4.0, 0, 0], [0, 3, 0], [0, 0, 2], [1, 0, 0], [0, 0.5, 0]])
    figures = OBJECTIVE.metrics(torch.from_numpy(logits), rows_of(np.array([0, 1, 2, 0, 0]), 3))
    assert (figures["accuracy"], figures["accuracy_at_coverage_80"]) == (0.8, 1.0)


def test_what_is_calibrated_takes_the_temperature_that_was_fitted():
    episodes = [random_task(seed, 30, 5, spread=4.0) for seed in range(20)]
    results = OBJECTIVE.calibrated(episodes)
    assert results.temperature == fit_temperature(episodes) != 1
    merged = results.aggregate(episodes)
    assert merged["calibration_error"][0] < merged["calibration_error_raw"][0] / 2
    assert OBJECTIVE.temperature == 1


def test_predictions_that_are_no_numbers_are_not_confident():
    logits = torch.tensor([[math.nan, math.nan], [9.0, -9.0]], dtype=torch.float64)
    error, half = OBJECTIVE.aggregate([(logits.numpy(), np.array([1, 0]))])["calibration_error"]
    assert error == pytest.approx(0, abs=1e-6)  # wrong with confidence 0, right with confidence 1
    assert half == 0
