import dataclasses

import numpy as np
import pytest

from omnishot.worlds.driving import sensors
from omnishot.worlds.driving.vehicles import draw_moment, draw_vehicle

VEHICLE = dataclasses.replace(
    draw_vehicle(np.random.default_rng(0)),
    weather="clear",
    radar_scale=1.0,
    radar_offset=0.0,
    radar_bias=0.0,
    radar_gain=0.0,
    speed_scale=1.0,
    drift=0.0,
)
MOMENT = dataclasses.replace(draw_moment(VEHICLE, np.random.default_rng(0)), distance=30.0, closing=6.0, speed=20.0)


def peak(vehicle):
    """Where the strongest echo is in m, and its speed: the median of many looks."""
    profiles = [sensors.radar(vehicle, MOMENT, np.random.default_rng(seed)) for seed in range(60)]
    tops = [profile[:, 0].argmax() for profile in profiles]
    speeds = [profile[top, 1] for profile, top in zip(profiles, tops, strict=True)]
    return np.median(tops) * sensors.BIN, np.median(speeds)


def test_the_lead_vehicle_echoes_at_its_distance_and_closing_speed():
    distance, closing = peak(VEHICLE)
    assert distance == pytest.approx(30, abs=2)
    assert closing == pytest.approx(6, abs=0.5)


def test_calibration_moves_the_echo():
    distance, closing = peak(dataclasses.replace(VEHICLE, radar_scale=1.2, radar_offset=8.0, radar_bias=2.0))
    assert distance == pytest.approx(1.2 * 30 + 8, abs=2)
    assert closing == pytest.approx(8, abs=0.5)


def test_radar_gain_raises_the_whole_profile():
    louder = dataclasses.replace(VEHICLE, radar_gain=5.0)
    quiet, loud = (sensors.radar(vehicle, MOMENT, np.random.default_rng(1)) for vehicle in (VEHICLE, louder))
    assert quiet.shape == (sensors.BINS, 2)
    np.testing.assert_allclose(loud[:, 0] - quiet[:, 0], 5, atol=1e-4)
    np.testing.assert_allclose(loud[:, 1], quiet[:, 1])


def test_motion_ends_now_and_follows_the_bend():
    moment = dataclasses.replace(MOMENT, bend=0.005, twist=0.0, braking=-1.0)
    sensed = np.mean([sensors.motion(VEHICLE, moment, np.random.default_rng(seed)) for seed in range(200)], 0)
    assert sensed.shape == (sensors.STEPS, 3)
    assert sensed[-1] == pytest.approx([20, 0, -1], abs=0.1)
    assert sensed[0, 0] == pytest.approx(20 + 1.9, abs=0.1)
    driven = 20 * 1.9 + 1.9**2 / 2
    assert sensed[0, 1] == pytest.approx(-np.rad2deg(0.005 * driven), abs=0.1)


def test_calibration_scales_the_speed_and_turns_the_heading():
    odd = dataclasses.replace(VEHICLE, speed_scale=1.1, drift=1.0)
    true, shown = (sensors.motion(vehicle, MOMENT, np.random.default_rng(0)) for vehicle in (VEHICLE, odd))
    assert (shown - true)[-1] == pytest.approx([2, 0, 0], abs=0.01)
    assert (shown - true)[0, 1] == pytest.approx(-1.9, abs=0.01)


def test_a_dead_sensor_is_dead_over_one_stretch():
    for seed in range(20):
        works = sensors.alive(40, 0.3, np.random.default_rng(seed))
        assert (~works).sum() == 12
        assert (np.roll(works, 1) != works).sum() == 2
    assert sensors.alive(40, 0.0, np.random.default_rng(0)).all()
