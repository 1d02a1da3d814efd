"""The hospitals of the world `ward`: their habits, and their measurements in their own units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnishot.worlds.ward.patients import LABS, OUTCOMES, Patient, score

HOURS, SIGNS = 24, 4  # heart rate, systolic pressure, oxygen saturation, temperature
# Of each lab: the median of the healthy, the standard deviation of its logarithm, and what the other unit multiplies.
SCALES = {
    "creatinine": (80.0, 0.35, 1 / 88.4),
    "lactate": (1.4, 0.45, 9.01),
    "crp": (12.0, 0.9, 0.1),
    "white_cells": (8.0, 0.3, 1.0),
}


@dataclass(frozen=True)
class Hospital:
    """A hospital's habits.

    Films: `brightness` added, `gamma`, `blur` in pixels, `negative` black for white. Notes: `terse` or in sentences,
    `denials_first`, in `capitals`. Units: `units` of each lab (1, or what the other unit multiplies), `fahrenheit`.
    `holes` is the fraction of values that are missing. Patients stay from the score `beds` on, from `intensive` on in
    intensive care.
    """

    name: str
    brightness: float
    gamma: float
    blur: float
    negative: bool
    terse: bool
    denials_first: bool
    capitals: bool
    units: tuple[float, ...]
    fahrenheit: bool
    holes: float
    beds: float
    intensive: float


def draw_hospital(name: str, rng: np.random.Generator) -> Hospital:
    """A random hospital."""
    beds = rng.uniform(-0.9, 0.2)
    return Hospital(
        name=name,
        brightness=rng.uniform(-0.12, 0.12),
        gamma=float(np.exp(rng.uniform(-0.4, 0.4))),
        blur=rng.uniform(0, 0.9),
        negative=bool(rng.random() < 0.2),
        terse=bool(rng.random() < 0.5),
        denials_first=bool(rng.random() < 0.3),
        capitals=bool(rng.random() < 0.2),
        units=tuple(float(rng.choice((1.0, SCALES[lab][2]))) for lab in LABS),
        fahrenheit=bool(rng.random() < 0.4),
        holes=rng.uniform(0.02, 0.3),
        beds=beds,
        intensive=beds + rng.uniform(0.6, 1.0),
    )


def outcome(hospital: Hospital, patient: Patient) -> str:
    """The patient's outcome (home, ward or intensive care) by the hospital's own rule."""
    ill = score(patient)
    return OUTCOMES[int(ill > hospital.beds) + int(ill > hospital.intensive)]


def labs(hospital: Hospital, patient: Patient, rng: np.random.Generator) -> dict[str, float | None]:
    """The values of `LABS` in the hospital's units, None where not measured."""
    values: dict[str, float | None] = {}
    for lab, shift, unit in zip(LABS, patient.labs, hospital.units, strict=True):
        median, spread, _ = SCALES[lab]
        value = float(f"{median * np.exp(spread * shift) * unit:.3g}")
        values[lab] = None if rng.random() < hospital.holes else value
    return values


def vitals(hospital: Hospital, patient: Patient, rng: np.random.Generator) -> np.ndarray:
    """A day's vital signs `[HOURS, SIGNS]`: they drift further with higher severity; some hours are missing (NaN)."""
    hour = np.arange(HOURS)
    worse = patient.severity[2] * hour / HOURS
    night = np.exp(-(((hour - 14) / 3.5) ** 2) / 2)
    pulse, pressure, oxygen, temperature = 82 + 11 * worse, 125 - 11 * worse, 95.5 - 1.6 * worse, 37.1 + 0.2 * worse
    drama = abs(patient.severity[2]) + 0.6
    match patient.course:
        case "spiking":
            temperature = temperature + 1.2 * np.clip(np.sin(2 * np.pi * (hour / 8 + rng.random())), 0, None)
        case "racing":
            starts = np.isin(hour, rng.choice(HOURS, 5, replace=False))
            pulse = pulse + 28 * np.convolve(starts, [1, 0.6, 0.2])[:HOURS]
        case "sinking":
            pressure = pressure - 16 * drama * hour / HOURS
        case "breathless":
            oxygen = oxygen - 4 * drama * night
        case "cold":
            temperature, pulse = temperature - 1.1, pulse - 10
    signs = np.stack([pulse, pressure, oxygen, temperature], 1)
    signs = signs + rng.normal(0, (7, 9, 0.6, 0.25), SIGNS) + rng.normal(0, (3, 4, 0.6, 0.12), (HOURS, SIGNS))
    signs[:, 2] = np.minimum(signs[:, 2], 100)
    if hospital.fahrenheit:
        signs[:, 3] = signs[:, 3] * 9 / 5 + 32
    signs[rng.random((HOURS, SIGNS)) < hospital.holes / 2] = np.nan
    return signs.astype(np.float32)
