"""Omniglot: 1,623 handwritten characters of 50 alphabets, each drawn once by 20 people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from omnishot.datasets.archive import contents, damaged, locate
from omnishot.datasets.class_split import split_classes
from omnishot.errors import DataError, choose
from omnishot.table.writing import TableWriter

BACKGROUND, EVALUATION = "images_background", "images_evaluation"
MAML = {"train": 1100, "val": 100, "test": 423}  # characters; Finn et al. 2017, section 5.2 and its code
VAL_FRACTION = 1 / 6  # of the background alphabets: 5 of the published 30


class Drawing(NamedTuple):
    """One drawing of a character. Sorts by alphabet, character, drawer."""

    alphabet: str
    character: str
    name: str
    drawer: str

    @property
    def label(self) -> str:
        """The class, unique over all alphabets: `Greek/character01`."""
        return f"{self.alphabet}/{self.character}"

    def cells(self) -> dict[str, str]:
        return {"character": self.label, "_alphabet": self.alphabet, "_drawer": self.drawer}


def drawings(path: Path, suffix: str) -> dict[Drawing, bytes]:
    """The files `ALPHABET/characterNN/IIII_DD.suffix` (DD is the drawer) below a folder or in a zip.

    Raises:
        DataError: if a file with that suffix has another name, or the zip is damaged.
    """
    drawn: dict[Drawing, bytes] = {}
    for name, data in contents(path, suffix):
        parts = name.parts[-3:]
        file = re.fullmatch(r"\d+_(\d+)", name.stem)
        if len(parts) < 3 or not re.fullmatch(r"character\d+", parts[1]) or not file:
            raise damaged(path, f"{name} is not called ALPHABET/characterNN/IIII_DD{suffix}")
        drawing = Drawing(parts[0], parts[1], name.stem, file[1])
        if drawing in drawn:
            raise damaged(path, f"it holds {drawing.label}/{name.name} twice")
        drawn[drawing] = data
    return drawn


def read(directory: Path, out: Path, *, split: str = "maml", seed: int = 0) -> Path:
    """Omniglot: 1,623 handwritten characters of 50 alphabets, each drawn once by 20 people.

    Writes the drawings of `images_background` and `images_evaluation` as a table, one row a drawing.

    Columns: image (PNG as published), character (the target), _alphabet and _drawer (notes), split.

    Args:
        split: "maml" shuffles all 1,623 characters with `seed` into 1,100 train, 100 val and 423 test;
            "alphabet" keeps the published one, evaluation alphabets for test, and turns a sixth of the
            background alphabets, drawn with `seed`, into val; "none" writes no such column, so that Omnishot
            makes its own.

    Raises:
        DataError: if the files are missing or damaged, or hold other than the characters that `split` needs.

    Paper: Lake, Salakhutdinov, Tenenbaum: Human-level concept learning, Science 350 (2015)
    """
    choose("split", split, ("maml", "alphabet", "none"))
    table = TableWriter(out)
    parts = {part: drawings(path, ".png") for part, path in locate(directory, (BACKGROUND, EVALUATION)).items()}
    background, evaluation = parts.get(BACKGROUND, {}), parts.get(EVALUATION, {})
    shared = {drawing.alphabet for drawing in background} & {drawing.alphabet for drawing in evaluation}
    if shared:
        raise damaged(directory, f"{BACKGROUND} and {EVALUATION} both hold the alphabet {min(shared)}")
    images = background | evaluation
    match split:
        case "maml":
            splits = _maml(directory, images, seed)
        case "alphabet":
            splits = _alphabet(directory, background, evaluation, seed)
        case _:
            splits = {}
    for drawing in sorted(images):
        cell = table.media(f"{drawing.label}/{drawing.name}.png", images[drawing])
        assigned = {"split": splits[drawing.label]} if splits else {}
        table.row(image=cell, **drawing.cells(), **assigned)
    return table.close()


def _maml(directory: Path, images: dict[Drawing, bytes], seed: int) -> dict[str, str]:
    labels = {drawing.label for drawing in images}
    if len(labels) != sum(MAML.values()):
        raise DataError(
            f"{directory} holds {len(labels)} characters, but split=maml needs the {sum(MAML.values())} of "
            f"{BACKGROUND} and {EVALUATION} together; add what is missing, or use "
            "split=alphabet or split=none"
        )
    return split_classes(labels, MAML, seed)


def _alphabet(
    directory: Path, background: dict[Drawing, bytes], evaluation: dict[Drawing, bytes], seed: int
) -> dict[str, str]:
    alphabets = {drawing.alphabet for drawing in background}
    if len(alphabets) == 1:
        raise DataError(
            f"{directory}/{BACKGROUND} holds one alphabet, {min(alphabets)}, but split=alphabet needs at "
            "least two, one to train on and one to validate on; use split=none"
        )
    val = max(1, round(VAL_FRACTION * len(alphabets))) if alphabets else 0
    splits = split_classes(alphabets, {"train": len(alphabets) - val, "val": val}, seed)
    return {drawing.label: splits[drawing.alphabet] for drawing in background} | {
        drawing.label: "test" for drawing in evaluation
    }
