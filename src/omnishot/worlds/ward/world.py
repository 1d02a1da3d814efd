"""The world `ward`: a film, a note, a day's vital signs and a table of values of many patients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from omnishot.errors import choose
from omnishot.table.encoding import encode_npy, encode_png
from omnishot.table.writing import TableWriter
from omnishot.worlds.ranges import check_range
from omnishot.worlds.ward.films import film
from omnishot.worlds.ward.hospitals import Hospital, draw_hospital, labs, outcome, vitals
from omnishot.worlds.ward.notes import note
from omnishot.worlds.ward.patients import NAMES, Patient, draw_conditions, draw_patient, draw_sufferer, score

FORMS = ("hospitals", "conditions")
PARTS = ("test", "val", "test", *("train",) * 7)  # hospitals, or conditions, take these splits in turn


def make(
    out: str | Path,
    *,
    seed: int = 0,
    form: str = "hospitals",
    hospitals: int = 60,
    conditions: int = 60,
    patients: int = 80,
    progress: bool = False,
) -> Path:
    """Patients of many hospitals: their outcome by each hospital's rule, or their rare condition.

    Columns: `picture` (64 x 64 grayscale PNG: a chest with a shadow), `note` (text: findings there and not there),
    `vitals` (24 hours of heart rate, pressure, oxygen, temperature; NaN where missing), the values `age`, `sex`,
    `creatinine`, `lactate`, `crp`, `white_cells` with holes, the target `outcome` ("home", "ward", "intensive care") or
    `condition`, `hospital` (the group; a note, `_hospital`, beside conditions), `_score` (a note: how ill; beside
    outcomes), `split` (train, val or test). Each of picture, note, vitals and values carries a quarter of a
    patient's severity, and conditions share each of their signs with others: no input suffices. A hospital has its own
    films, manner of writing, units, and rule of admission. The same seed and options give the same files with the same
    versions of Pillow, SciPy and NumPy.

    Args:
        out: the table to write; `.parquet` holds films and series itself, others in a folder beside it.
        seed: of everything random, 0 or more.
        form: "hospitals" (`outcome`; no hospital in two splits) or "conditions" (`condition`; none in two splits).
        hospitals: how many, 3 or more.
        conditions: how many rare ones, 3 or more; for the form "conditions".
        patients: rows of each hospital, or of each condition.
        progress: whether to show a progress bar.

    Raises:
        UsageError: for an unknown form or a number out of range.
    """
    choose("form", form, FORMS)
    for name, value, low in (("seed", seed, 0), ("hospitals", hospitals, 3), ("patients", patients, 1)):
        check_range(name, value, low)
    check_range("conditions", conditions, 3, len(NAMES))
    houses = [draw_hospital(f"hospital {i:03d}", np.random.default_rng([seed, 0, i])) for i in range(hospitals)]
    if form == "hospitals":
        admitted, total = _by_hospital(houses, patients, seed), hospitals * patients
    else:
        admitted, total = _by_condition(houses, conditions, patients, seed), conditions * patients
    writer = TableWriter(out)
    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        for row, (house, patient, rest) in enumerate(bar.track(admitted, total=total, description="ward")):
            rng = np.random.default_rng([seed, 3, row])
            inputs = {
                "picture": writer.media(f"{row:06d}.png", encode_png(film(house, patient, rng))),
                "note": note(house, patient, rng),
                "vitals": writer.media(f"{row:06d}.npy", encode_npy(vitals(house, patient, rng))),
                "age": patient.age,
                "sex": "female" if patient.female else "male",
            }
            writer.row(**inputs, **labs(house, patient, rng), **rest)
    return writer.close()


Rest = dict[str, str | float]
"""The cells of a row beside its inputs."""
Row = tuple[Hospital, Patient, Rest]


def _by_hospital(houses: list[Hospital], patients: int, seed: int) -> Iterator[Row]:
    for number, house in enumerate(houses):
        for turn in range(patients):
            patient = draw_patient(np.random.default_rng([seed, 1, number, turn]))
            target: Rest = {
                "outcome": outcome(house, patient),
                "hospital": house.name,
                "_score": round(score(patient), 3),
            }
            yield house, patient, {**target, "split": PARTS[number % len(PARTS)]}


def _by_condition(houses: list[Hospital], conditions: int, patients: int, seed: int) -> Iterator[Row]:
    for number, condition in enumerate(draw_conditions(conditions, np.random.default_rng([seed, 2]))):
        for turn in range(patients):
            rng = np.random.default_rng([seed, 1, number, turn])
            house = houses[rng.integers(len(houses))]
            target: Rest = {"condition": condition.name, "_hospital": house.name}
            yield house, draw_sufferer(condition, rng), {**target, "split": PARTS[number % len(PARTS)]}
