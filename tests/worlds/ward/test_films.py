import dataclasses

import numpy as np
import pytest

from omnishot.worlds.ward.films import SIDE, film
from omnishot.worlds.ward.hospitals import draw_hospital
from omnishot.worlds.ward.patients import SHADOWS, draw_patient

HOSPITAL = dataclasses.replace(
    draw_hospital("h", np.random.default_rng(0)), brightness=0.0, gamma=1.0, blur=0.3, negative=False
)
PATIENT = draw_patient(np.random.default_rng(0))


def shoot(seed=0, hospital=HOSPITAL, **changes):
    return film(hospital, dataclasses.replace(PATIENT, **changes), np.random.default_rng(seed))


def shadow(name, severity, seed):
    """Pixels that are brighter than with the smallest shadow at the same place."""
    with_, small = (shoot(seed, shadow=name, severity=(s, 0.0, 0.0, 0.0)).astype(float) for s in (severity, -2.0))
    return (with_ - small > 20).sum()


@pytest.mark.parametrize("name", SHADOWS)
def test_a_worse_shadow_is_larger(name):
    assert np.mean([shadow(name, 2.0, seed) for seed in range(10)]) > 15


@pytest.mark.parametrize("name", SHADOWS)
def test_films_show_a_chest(name):
    picture = shoot(shadow=name)
    assert picture.dtype == np.uint8
    assert picture.shape == (SIDE, SIDE)
    assert picture[28:36, 30:34].mean() > picture[:, :3].mean() + 60  # the spine, and the air beside the body
    assert (picture == shoot(shadow=name)).all()


def test_shadows_look_different():
    means = {name: shoot(3, shadow=name, severity=(1.0, 0.0, 0.0, 0.0)).astype(float) for name in SHADOWS}
    for name, other in ((a, b) for a in SHADOWS for b in SHADOWS if a < b):
        assert (np.abs(means[name] - means[other]) > 20).sum() > 10, (name, other)


def test_a_hospital_shows_the_same_chest_its_own_way():
    plain = shoot().astype(float)
    negative = shoot(hospital=dataclasses.replace(HOSPITAL, negative=True)).astype(float)
    assert np.abs(plain + negative - 255).max() <= 1
    brighter = shoot(hospital=dataclasses.replace(HOSPITAL, brightness=0.1)).astype(float)
    assert (brighter - plain).mean() == pytest.approx(25.5, abs=2)
    hazier = shoot(hospital=dataclasses.replace(HOSPITAL, gamma=0.7)).astype(float)
    assert (hazier >= plain - 1).all()
    assert hazier.mean() > plain.mean() + 5
