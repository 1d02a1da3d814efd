import dataclasses

import numpy as np
import pytest

from omnishot.worlds.driving import camera
from omnishot.worlds.driving.vehicles import WEATHERS, Moment, draw_moment, draw_vehicle

STRAIGHT = Moment(speed=15.0, braking=0.0, bend=0.0, twist=0.0, aside=0.0, askew=0.0, distance=20.0, closing=2.0)
LEVEL = dataclasses.replace(
    draw_vehicle(np.random.default_rng(0)), weather="clear", pitch=0.0, yaw=0.0, height=1.5, focal=1.0, exposure=1.0
)


def look(vehicle=LEVEL, moment=STRAIGHT, seed=0):
    return camera.view(vehicle, moment, np.random.default_rng(seed)).astype(float)


def test_pictures_are_small_and_in_colour():
    picture = camera.view(LEVEL, STRAIGHT, np.random.default_rng(0))
    assert picture.dtype == np.uint8
    assert picture.shape == (48, 72, 3)
    assert (picture == camera.view(LEVEL, STRAIGHT, np.random.default_rng(0))).all()


def test_the_horizon_lies_where_the_camera_points():
    down = dataclasses.replace(LEVEL, pitch=np.deg2rad(5))
    far = 1e5
    assert camera.project(LEVEL, STRAIGHT, far)[0] / camera.FINE == pytest.approx(24, abs=0.1)
    raised = camera.FOCAL * np.tan(np.deg2rad(5))
    assert camera.project(down, STRAIGHT, far)[0] / camera.FINE == pytest.approx(24 - raised, abs=0.1)


def test_a_camera_turned_to_the_right_sees_the_road_on_the_left():
    turned = dataclasses.replace(LEVEL, yaw=np.deg2rad(3))
    assert camera.project(turned, STRAIGHT, 50.0)[1] < camera.project(LEVEL, STRAIGHT, 50.0)[1]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_drawn_and_what_is_projected_agree(seed):
    rng = np.random.default_rng(seed)
    vehicle = draw_vehicle(rng)
    moment = draw_moment(vehicle, rng)
    ahead, aside, ground = camera._plane(vehicle, moment)
    for distance in (8.0, 15.0, 30.0):
        row, column, _ = camera.project(vehicle, moment, distance)
        if 0 <= row < ahead.shape[0] and 0 <= column < ahead.shape[1]:
            at = int(row), int(column)
            assert ground[at]
            assert ahead[at] == pytest.approx(distance, rel=0.15)
            assert abs(aside[at]) < 0.5


def test_a_curve_to_the_right_moves_the_road_to_the_right():
    def grey(bend):
        """The mean column of what is asphalt, in the upper part of the ground."""
        picture = look(moment=dataclasses.replace(STRAIGHT, bend=bend, distance=90.0))[26:34]
        asphalt = (np.ptp(picture, axis=-1) < 25) & (picture.mean(-1) < 130)
        return np.nonzero(asphalt)[1].mean()

    assert grey(-0.012) + 4 < grey(0.0) < grey(0.012) - 4


def test_a_lead_vehicle_is_larger_when_near():
    empty = look(moment=dataclasses.replace(STRAIGHT, distance=900.0))
    near, far = (look(moment=dataclasses.replace(STRAIGHT, distance=d)) for d in (8.0, 30.0))
    changed = [(np.abs(picture - empty).max(-1) > 40).sum() for picture in (near, far)]
    assert changed[0] > 4 * changed[1] > 0


def test_weather_hides_what_is_far():
    lead = dataclasses.replace(STRAIGHT, distance=45.0)
    empty = dataclasses.replace(STRAIGHT, distance=900.0)
    pictures = {w: dataclasses.replace(LEVEL, weather=w) for w in WEATHERS}

    def contrast(weather):
        shots = [look(pictures[weather], lead, s) - look(pictures[weather], empty, s) for s in range(8)]
        row, column, metre = (v / camera.FINE for v in camera.project(LEVEL, lead, 45.0))
        half = metre * 0.8
        return np.abs(
            np.mean(shots, 0)[int(row - 1.3 * metre) : int(row), int(column - half) : int(column + half)]
        ).mean()

    assert contrast("clear") > 2 * contrast("fog")
    assert look(pictures["night"]).mean() < 0.5 * look(pictures["clear"]).mean()
