"""Omniglot's small background sets: 242 characters, each drawing as a picture and as the pen's trajectory."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from omnishot.datasets.archive import damaged, locate
from omnishot.datasets.class_split import split_classes
from omnishot.datasets.omniglot import Drawing, drawings
from omnishot.errors import DataError, choose
from omnishot.table.encoding import encode_npy
from omnishot.table.writing import TableWriter

__all__ = ["read", "trajectory"]

IMAGES = ("images_background_small1", "images_background_small2")
STROKES = ("strokes_background_small1", "strokes_background_small2")
VAL_FRACTION, TEST_FRACTION = 0.15, 0.25


def read(directory: Path, out: Path, *, split: str = "class", seed: int = 0) -> Path:
    """Omniglot's small background sets: 242 characters, each drawing as a picture and as the pen's trajectory.

    Writes the drawings of both small background sets as a table, one row a drawing.

    Columns: image (105×105 PNG as published), strokes (a series, see `trajectory`), character (the target),
    _alphabet, _drawer (notes), split. A drawing in both sets gives one row; one that has only a picture or only
    strokes lacks the other cell.

    Args:
        split: "class" shuffles the characters with `seed` into 60% train, 15% val and 25% test (of 242: 146,
            36 and 60); "none" writes no such column, so that Omnishot makes its own.

    Raises:
        DataError: if the files are missing or damaged, or hold fewer than four characters to split.

    Paper: Lake, Salakhutdinov, Tenenbaum: Human-level concept learning, Science 350 (2015)
    """
    choose("split", split, ("class", "none"))
    table = TableWriter(out)
    images, strokes = _merged(directory, IMAGES, ".png"), _merged(directory, STROKES, ".txt")
    series = {
        drawing: encode_npy(trajectory(data, f"{directory}: strokes of {drawing.label}/{drawing.name}"))
        for drawing, data in strokes.items()
    }
    every = sorted(images.keys() | series.keys())
    splits = _splits(directory, {drawing.label for drawing in every}, seed) if split == "class" else {}
    for drawing in every:
        name = f"{drawing.label}/{drawing.name}"
        image = table.media(f"{name}.png", images[drawing]) if drawing in images else None
        pen = table.media(f"{name}.npy", series[drawing]) if drawing in series else None
        assigned = {"split": splits[drawing.label]} if splits else {}
        table.row(image=image, strokes=pen, **drawing.cells(), **assigned)
    return table.close()


def trajectory(data: bytes, where: str) -> np.ndarray:
    """Parse a strokes file: `START`, lines `x,y,t`, and `BREAK` at the end of every stroke.

    Returns float32 `[time, 4]` with the channels
        x, y: pixels of the 105×105 picture from its upper left corner; y points upwards and so is
            negative inside the picture, as published
        t: milliseconds since the drawing began, going on between strokes (in 14 of the 4,840 published
            drawings the clock steps back; kept as published)
        pen: 1 where a line is drawn from this point to the next, 0 at the last point of a stroke

    Raises:
        DataError: naming `where` and the damaged line.
    """
    lines = [line.strip() for line in data.decode("utf-8-sig", errors="replace").splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines or lines[0] != "START":
        raise damaged(where, "the first line is not START")
    if lines[-1] != "BREAK":
        raise damaged(where, f"cut off, for line {len(lines)}, the last, is {lines[-1]!r} and not BREAK")
    points: list[list[float]] = []
    for number, line in enumerate(lines[1:], start=2):
        if line != "BREAK":
            points.append([*_point(line, f"{where}, line {number}"), 1.0])
        elif points:
            points[-1][3] = 0.0
    if not points:
        raise damaged(where, "it holds no point")
    return np.array(points, dtype=np.float32)


def _point(line: str, where: str) -> list[float]:
    try:
        x, y, t = (float(number) for number in line.split(","))
    except ValueError:
        raise damaged(where, f"{line!r} is neither x,y,t nor BREAK") from None
    if not all(map(math.isfinite, (x, y, t))):
        raise damaged(where, f"{line!r} holds a number that is not finite")
    return [x, y, t]


def _merged(directory: Path, parts: tuple[str, ...], suffix: str) -> dict[Drawing, bytes]:
    merged: dict[Drawing, bytes] = {}
    for path in locate(directory, parts).values():
        drawn = drawings(path, suffix)
        for drawing in sorted(drawn.keys() & merged.keys()):
            if drawn[drawing] != merged[drawing]:
                name = f"{drawing.label}/{drawing.name}{suffix}"
                raise damaged(directory, f"{name} differs between {' and '.join(parts)}")
        merged |= drawn
    return merged


def _splits(directory: Path, labels: set[str], seed: int) -> dict[str, str]:
    val, test = (max(1, round(fraction * len(labels))) for fraction in (VAL_FRACTION, TEST_FRACTION))
    if len(labels) < 4:
        raise DataError(f"{directory} holds {len(labels)} characters, too few for train, val and test; use split=none")
    return split_classes(labels, {"train": len(labels) - val - test, "val": val, "test": test}, seed)
