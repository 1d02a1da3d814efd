import dataclasses

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from omnishot.worlds.driving import vehicles as world


def fleet(vehicles, count, seed=0):
    for number in range(vehicles):
        rng = np.random.default_rng([seed, number])
        vehicle = world.draw_vehicle(rng)
        yield vehicle, [world.draw_moment(vehicle, rng) for _ in range(count)]


def table(drives):
    """Curvature and sideways acceleration `[rows, 2]`, steering `[rows]`."""
    rows = [(m.curvature, m.speed**2 * m.curvature, world.steering(v, m)) for v, drive in drives for m in drive]
    return np.array(rows)[:, :2], np.array(rows)[:, 2]


def test_ten_rows_fit_a_vehicles_steering_and_rows_of_others_do_not():
    known, unseen = list(fleet(60, 40)), list(fleet(15, 40, seed=1))
    everybody = GradientBoostingRegressor(random_state=0).fit(*table(known))
    adapted, unadapted = [], []
    for drive in unseen:
        x, y = table([drive])
        own = LinearRegression().fit(x[:10], y[:10])
        adapted.append(np.abs(own.predict(x[10:]) - y[10:]).mean())
        unadapted.append(np.abs(everybody.predict(x[10:]) - y[10:]).mean())
    assert np.mean(adapted) < 0.2  # degrees
    assert np.mean(unadapted) > 20 * np.mean(adapted)


def test_steering_grows_with_curvature_wheelbase_and_ratio():
    vehicle, (moment,) = next(fleet(1, 1))
    vehicle = dataclasses.replace(vehicle, trim=0.0, ratio=15.0, wheelbase=3.0)
    moment = dataclasses.replace(moment, bend=0.01, twist=0.0, speed=10.0)
    expected = 15 * np.rad2deg(np.arctan(0.03) + world.UNDERSTEER * 1.0)
    assert world.steering(vehicle, moment) == pytest.approx(expected)
    left = dataclasses.replace(moment, bend=-0.01)
    assert world.steering(vehicle, left) == pytest.approx(-expected)
    assert world.steering(dataclasses.replace(vehicle, trim=4.0), moment) == pytest.approx(expected + 4)


@pytest.mark.parametrize(("distance", "closing", "seconds"), [(20, 5, 4), (20, 1, 10), (20, 0, 10), (20, -3, 10)])
def test_time_to_collision(distance, closing, seconds):
    _, (moment,) = next(fleet(1, 1))
    assert world.collision(dataclasses.replace(moment, distance=distance, closing=closing)) == seconds


def test_no_vehicle_takes_a_curve_too_fast_and_no_lead_drives_backwards():
    for _, drive in fleet(40, 20):
        for moment in drive:
            assert abs(moment.curvature) * moment.speed**2 <= world.SIDEWAYS + 1e-9
            assert abs(moment.curvature) <= world.SHARPEST
            assert moment.closing <= moment.speed


def test_the_curvature_behind_is_correlated_with_the_curvature_ahead():
    ahead, behind = np.transpose(
        [(m.curvature, m.bend - m.twist * m.speed) for _, drive in fleet(40, 20) for m in drive]
    )
    assert 0.5 < np.corrcoef(ahead, behind)[0, 1] < 0.85
