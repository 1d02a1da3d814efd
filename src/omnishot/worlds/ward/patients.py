"""The patients of the world `ward`: their severity and its signs, by chance or by a rare condition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHADOWS = ("nodule", "ring", "spots", "wedge", "haze", "band")
COURSES = ("steady", "spiking", "racing", "sinking", "breathless", "cold")
GRAVE = ("breathlessness", "confusion", "coughing blood", "chest pain", "fainting", "blue lips")
MILD = ("cough", "headache", "joint pain", "rash", "vomiting", "night sweats", "swollen legs", "weight loss")
LABS = ("creatinine", "lactate", "crp", "white_cells")
OUTCOMES = ("home", "ward", "intensive care")

_BEGINNINGS = ("Al", "Ber", "Cor", "Dra", "Fen", "Gral", "Hol", "Kel", "Lor", "Mar", "Nev", "Ost", "Pra", "Sel", "Tor")
_ENDINGS = ("ander", "beck", "dahl", "esco", "ini", "kova", "man", "quist", "ström", "wick")
NAMES = tuple(f"{beginning}{ending} syndrome" for ending in _ENDINGS for beginning in _BEGINNINGS)


@dataclass(frozen=True)
class Condition:
    """The signs of a rare condition: other conditions share each of them, none all of them.

    The shadow on a film, the findings it causes (and those that rule it out), the course of the vital signs, and by how
    many standard deviations it moves each of `LABS`.
    """

    name: str
    shadow: str
    brings: tuple[str, ...]
    spares: tuple[str, ...]
    course: str
    labs: tuple[float, ...]


@dataclass(frozen=True)
class Patient:
    """`severity` by input, in standard deviations: of film, note, vitals and labs; the other fields are the signs.

    `findings` holds which are present and which are absent; others are unknown. `labs` are in standard deviations from
    normal.
    """

    age: int
    female: bool
    days: int
    severity: tuple[float, float, float, float]
    shadow: str
    course: str
    findings: dict[str, bool]
    labs: tuple[float, ...]


def score(patient: Patient) -> float:
    """The severity of a patient's illness: every input contributes a quarter of it."""
    return float(sum(patient.severity) / 2 + 0.2 * (patient.age - 55) / 18)


def draw_patient(rng: np.random.Generator) -> Patient:
    """A patient whose severity by input is four independent numbers; everything else is chance."""
    film, note, vitals, labs = rng.standard_normal(4)
    grave = {name: bool(rng.random() < _sigmoid(2.2 * note - 0.2)) for name in rng.permutation(GRAVE)[:5]}
    mild = {name: bool(rng.random() < 0.5) for name in rng.permutation(MILD)[: rng.integers(1, 4)]}
    return Patient(
        **_person(rng),
        severity=(float(film), float(note), float(vitals), float(labs)),
        shadow=str(rng.choice(SHADOWS)),
        course=str(rng.choice(("steady", "spiking"))),
        findings=grave | mild,
        labs=(*(labs * np.array([0.7, 1.0, 0.8]) + rng.normal(0, 0.4, 3)), float(rng.normal())),
    )


def draw_conditions(count: int, rng: np.random.Generator) -> list[Condition]:
    """Different conditions, each with signs out of a few that conditions share."""
    pool = [tuple(rng.permutation((*GRAVE, *MILD))[:6]) for _ in range(8)]
    shifts = [tuple(2.0 * rng.integers(-1, 2, len(LABS))) for _ in range(8)]
    distinct: dict[tuple[int, ...], None] = {}
    while len(distinct) < count:
        distinct[tuple(int(n) for n in rng.integers((len(SHADOWS), len(pool), len(COURSES), len(shifts))))] = None
    return [
        Condition(name, SHADOWS[s], pool[f][:3], pool[f][3:], COURSES[c], shifts[shift])
        for name, (s, f, c, shift) in zip(rng.permutation(NAMES).tolist(), distinct, strict=False)
    ]


def draw_sufferer(condition: Condition, rng: np.random.Generator) -> Patient:
    """A patient with a condition: most of its signs show, and some other signs too."""
    others = [name for name in (*GRAVE, *MILD) if name not in (*condition.brings, *condition.spares)]
    findings = {name: bool(rng.random() < 0.85) for name in condition.brings}
    findings |= {name: bool(rng.random() < 0.15) for name in condition.spares if rng.random() < 0.6}
    findings |= {str(name): bool(rng.random() < 0.3) for name in rng.permutation(others)[: rng.integers(0, 3)]}
    film, note, vitals, _ = rng.standard_normal(4)
    labs = np.array(condition.labs) + rng.normal(0, 0.8, len(LABS))
    return Patient(
        **_person(rng),
        severity=(float(film), float(note), float(abs(vitals) + 0.5), 0.0),
        shadow=condition.shadow if rng.random() < 0.9 else str(rng.choice(SHADOWS)),
        course=condition.course if rng.random() < 0.9 else str(rng.choice(COURSES)),
        findings=findings,
        labs=tuple(labs.tolist()),
    )


def _person(rng: np.random.Generator) -> dict:
    age = int(np.clip(rng.normal(55, 18), 18, 95))
    return {"age": age, "female": bool(rng.random() < 0.5), "days": int(rng.integers(1, 9))}


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))
