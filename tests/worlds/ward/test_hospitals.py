import dataclasses

import numpy as np
import pytest

from omnishot.worlds.ward import hospitals as world
from omnishot.worlds.ward.patients import COURSES, LABS, draw_patient

HOSPITAL = dataclasses.replace(
    world.draw_hospital("h", np.random.default_rng(0)), units=(1.0,) * 4, fahrenheit=False, holes=0.0
)
PATIENT = dataclasses.replace(draw_patient(np.random.default_rng(0)), severity=(0.0,) * 4, course="steady")


def day(patient=PATIENT, hospital=HOSPITAL, days=100):
    """The mean day of many."""
    return np.mean([world.vitals(hospital, patient, np.random.default_rng(seed)) for seed in range(days)], 0)


def ill(severity, course="steady"):
    return dataclasses.replace(PATIENT, severity=(0.0, 0.0, severity, 0.0), course=course)


def test_a_steady_day_of_somebody_well_is_normal():
    assert day().shape == (24, 4)
    assert day().mean(0) == pytest.approx([82, 125, 95.5, 37.1], abs=2)
    assert np.abs(day()[-1] - day()[0]).max() < 3


def test_the_worse_the_faster_the_pulse_and_the_lower_pressure_and_oxygen():
    change = (day(ill(2.0)) - day(ill(0.0)))[-1]
    assert change == pytest.approx([22, -22, -3.2, 0.4], abs=2)


def test_every_course_differs():
    days = {course: day(ill(0.5, course)) for course in COURSES}
    scale = np.array([8, 10, 1, 0.3])
    for course, other in ((a, b) for a in COURSES for b in COURSES if a < b):
        assert np.abs((days[course] - days[other]) / scale).max() > 1, (course, other)


def test_fahrenheit_is_another_unit_of_the_same_day():
    odd = dataclasses.replace(HOSPITAL, fahrenheit=True)
    celsius, fahrenheit = (world.vitals(h, PATIENT, np.random.default_rng(0)) for h in (HOSPITAL, odd))
    np.testing.assert_allclose(fahrenheit[:, 3], celsius[:, 3] * 1.8 + 32, rtol=1e-5)
    np.testing.assert_array_equal(fahrenheit[:, :3], celsius[:, :3])


def test_holes_are_missing_hours_and_values():
    open_ = dataclasses.replace(HOSPITAL, holes=0.3)
    days = np.stack([world.vitals(open_, PATIENT, np.random.default_rng(seed)) for seed in range(50)])
    assert np.isnan(days).mean() == pytest.approx(0.15, abs=0.02)
    tables = [world.labs(open_, PATIENT, np.random.default_rng(seed)) for seed in range(300)]
    assert np.mean([table[lab] is None for table in tables for lab in LABS]) == pytest.approx(0.3, abs=0.04)
    assert None not in world.labs(HOSPITAL, PATIENT, np.random.default_rng(0)).values()


def test_labs_rise_with_what_is_wrong_in_the_hospitals_unit():
    well = dataclasses.replace(PATIENT, labs=(0.0,) * 4)
    sick = dataclasses.replace(PATIENT, labs=(2.0,) * 4)
    american = dataclasses.replace(HOSPITAL, units=tuple(world.SCALES[lab][2] for lab in LABS))
    rng = np.random.default_rng(0)
    assert world.labs(HOSPITAL, well, rng) == {"creatinine": 80, "lactate": 1.4, "crp": 12, "white_cells": 8}
    assert world.labs(american, well, rng) == {"creatinine": 0.905, "lactate": 12.6, "crp": 1.2, "white_cells": 8}
    raised = world.labs(HOSPITAL, sick, rng)
    assert raised["crp"] == pytest.approx(12 * np.exp(1.8), rel=0.01)


def test_the_outcome_follows_the_hospitals_own_lines():
    strict, lax = (dataclasses.replace(HOSPITAL, beds=b, intensive=b + 1) for b in (-0.9, 0.2))
    sick = dataclasses.replace(PATIENT, age=55, severity=(0.4, 0.4, -0.5, -0.5))
    assert world.outcome(strict, sick) == "ward"
    assert world.outcome(lax, sick) == "home"
    assert world.outcome(lax, dataclasses.replace(sick, severity=(1.0,) * 4)) == "intensive care"
