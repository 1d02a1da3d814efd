import math

import numpy as np
import pytest

from omnishot.metrics.resampling import draws, ratio, resampled
from omnishot.objectives.calibration import calibration_error, resampled_calibration_error


def test_share_of_sums_and_its_interval_is_that_of_a_mean() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    value, half = resampled(ratio, np.stack([values, np.ones(400)], axis=1))
    assert value == pytest.approx(values.mean())
    assert half == pytest.approx(1.96 * values.std(ddof=1) / 20, rel=0.1)


def test_episodes_are_drawn_as_for_calibration() -> None:
    counts = np.random.default_rng(2).random((30, 3, 15)) * 5
    flat = resampled(lambda sums: calibration_error(sums.reshape(*sums.shape[:-1], 3, 15)), counts.reshape(30, -1))
    assert flat == pytest.approx(resampled_calibration_error(counts))


def test_one_episode_has_no_interval_and_same_draws_every_time() -> None:
    assert resampled(ratio, np.array([[1.0, 4.0]])) == (0.25, math.inf)
    assert (draws(7) == draws(7)).all()
    assert (draws(7).sum(1) == 7).all()


def test_share_of_nothing_is_zero() -> None:
    assert ratio(np.array([[0.0, 0.0], [1.0, 2.0]])).tolist() == [0.0, 0.5]
