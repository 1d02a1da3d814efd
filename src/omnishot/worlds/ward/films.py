"""Films of the world `ward`: two lungs between ribs and heart, and a shadow on one of them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from omnishot.worlds.ward.hospitals import Hospital
from omnishot.worlds.ward.patients import Patient

SIDE = 64  # pixels
GRAIN = 0.03  # standard deviation of the noise, of 1
DENSITY = (0.28, 0.45)  # of a shadow


def film(hospital: Hospital, patient: Patient, rng: np.random.Generator) -> np.ndarray:
    """A film in the hospital's style: uint8 `[SIDE, SIDE]`. Higher severity gives a larger and more ragged shadow."""
    y, x = np.mgrid[:SIDE, :SIDE] / (SIDE - 1) * 2 - 1
    wide, high = rng.uniform(0.92, 1.08, 2)
    x, y = (x - rng.uniform(-0.06, 0.06)) / wide, (y - rng.uniform(-0.06, 0.06)) / high
    picture = _chest(x, y, rng) + rng.uniform(*DENSITY) * _shadow(x, y, patient, rng)
    picture = gaussian_filter(picture, 0.4 + hospital.blur) + rng.normal(0, GRAIN, picture.shape)
    picture = np.clip(picture, 0, 1) ** hospital.gamma + hospital.brightness
    return np.rint(np.clip(1 - picture if hospital.negative else picture, 0, 1) * 255).astype(np.uint8)


def _inside(distance: np.ndarray, soft: float) -> np.ndarray:
    """1 where `distance` is well below 0, 0 where it is well above, with a smooth transition."""
    return 1 / (1 + np.exp(np.clip(distance / soft, -30, 30)))


def _chest(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bones and flesh are bright, air is dark."""
    body = 0.62 * _inside(np.hypot(x / 0.98, y / 1.3) - 1, 0.04)
    lungs = sum(_inside(np.hypot((x - side) / 0.34, (y - 0.02) / 0.74) - 1, 0.06) for side in (-0.46, 0.46))
    ribs = np.cos((y - 0.35 * np.abs(x) + rng.uniform(0, 0.2)) * 2 * np.pi / 0.3) ** 8
    spine = np.exp(-((x / 0.1) ** 2))
    heart = _inside(np.hypot((x - 0.17) / 0.33, (y - 0.38) / 0.3) - 1, 0.06)
    texture = gaussian_filter(rng.standard_normal(x.shape), 2.0)
    return body - 0.42 * lungs * (1 - 0.8 * heart) + 0.07 * ribs * body + 0.12 * spine + 0.15 * texture


def _shadow(x: np.ndarray, y: np.ndarray, patient: Patient, rng: np.random.Generator) -> np.ndarray:
    """The intensity of the shadow at each place, 0 to 1, on a lung beside the heart."""
    worse = float(np.clip(patient.severity[0], -2, 2))
    size, ragged = 0.17 + 0.045 * worse, 0.16 + 0.08 * worse
    x, y = x - rng.choice((-1, 1)) * rng.uniform(0.38, 0.5), y - rng.uniform(-0.4, 0.1)
    angle = np.arctan2(y, x)
    waves = sum(np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (5, 7, 11)) / 1.7
    edge = np.hypot(x, y) / (1 + ragged * waves)
    match patient.shadow:
        case "ring":
            return _inside(np.abs(edge - size) - 0.045, 0.015)
        case "spots":
            places = rng.normal(0, 0.75 * size, (6, 2))
            spots = [_inside(np.hypot(x - a, y - b) / (1 + ragged * waves) - 0.3 * size, 0.015) for a, b in places]
            return np.max(spots, 0)
        case "wedge":
            turn = rng.uniform(0, 2 * np.pi)
            off = np.abs((angle - turn + np.pi) % (2 * np.pi) - np.pi)
            return _inside(edge - 1.6 * size, 0.03) * _inside(off - 0.55, 0.06)
        case "haze":
            return 0.7 * np.exp(-((edge / (1.9 * size)) ** 2))
        case "band":
            turn = rng.uniform(-0.5, 0.5)
            along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
            bent = across + 0.05 * ragged * np.cos(20 * along)
            return _inside(np.abs(bent) - 0.3 * size, 0.02) * _inside(np.abs(along) - 1.9 * size, 0.03)
        case _:
            return _inside(edge - size, 0.02)
