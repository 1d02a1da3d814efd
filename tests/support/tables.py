"""Small tables such as a user would write, for tests of everything that begins with one."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SPECIES = ("blackbird", "blue tit", "crane", "dunnock", "eagle", "finch", "goose", "heron", "jackdaw", "kite")
#: A training that takes about a second.
QUICK: dict[str, Any] = {"learner": "protonet", "steps": 6, "tasks": 2, "val_episodes": 4, "dim": 8}
QUICK |= {"image": {"size": 16, "width": 8}, "text": {"width": 8, "heads": 2}, "tabular": {"width": 8}}


def birds(folder: Path, photos: int = 3) -> Path:
    """A table as a user writes it by hand: photos, a note that is often empty, a weight, and the species to predict.

    `photos` rows a species; no row is empty.
    """
    rng = np.random.default_rng(0)
    rows = []
    for kind, species in enumerate(SPECIES):
        for i in range(photos):
            name = f"photos/{species.replace(' ', '-')}-{i}.png"
            picture(folder / name, kind, rng)
            note = "" if rng.random() < 0.3 else f"seen near the {('lake', 'wood', 'field')[kind % 3]}, day {i}"
            weight = "" if rng.random() < 0.3 else f"{10 * kind + rng.normal():.1f}"
            rows.append({"photo": "" if i == 1 and kind % 2 else name, "note": note or "none", "weight": weight,
                         "species": species})  # fmt: skip
    return write(folder / "birds.csv", rows)


def picture(path: Path, kind: int, rng: np.random.Generator) -> Path:
    """A 20 × 24 grey picture, of a brightness that tells the kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.clip(25 * kind + rng.normal(0, 20, (20, 24)), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A CSV file."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
