"""avMNIST as in SMIL: handwritten digits, some of them with a recording of the spoken digit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from omnishot.datasets.archive import locate
from omnishot.datasets.fsdd import RECORDINGS, Recording, recordings
from omnishot.datasets.mnist import PARTS, published
from omnishot.errors import DataError, UsageError, choose
from omnishot.table.encoding import encode_png
from omnishot.table.writing import TableWriter

SPEAKERS = ("jackson", "nicolas", "theo")
FIRST = 15  # number of the first training recording of each digit and speaker
TESTED = 45  # pictures of each digit


def read(
    directory: Path, out: Path, *, split: str = "published", sound: float = 1.0, test: str = "published", seed: int = 0
) -> Path:
    """avMNIST as in SMIL: 1,050 handwritten digits, some of them with a spoken one, and 450 test digits without.

    `directory` holds the folders `mnist` and `fsdd` with their published files. A training row has one of the first
    105 MNIST training images of its digit, and a recording of the same digit (Free Spoken Digit Dataset, speakers
    jackson, nicolas and theo, recordings 15 to 49). Test rows have an image only.

    Columns: image (PNG), audio (wav; empty where the row has no sound), digit (the target, "0" to "9"), _number (of the
    image in its MNIST file), split. Train and test hold all ten digits.

    Args:
        split: "published", train or test; "none" writes no such column, so that Omnishot makes its own.
        sound: fraction of the training rows that have their sound, 0 to 1; drawn by `seed`, the numbers of the digits
            differing by at most one. A larger fraction keeps the sounds that a smaller one keeps.
        test: "published" for the last 45 MNIST test images of each digit; "all" for all 10,000.
        seed: see `sound`.

    Raises:
        DataError: if a file is missing or damaged.
        UsageError: if `sound` is no fraction, or `seed` is negative.

    Paper: Ma et al.: SMIL: Multimodal Learning with Severely Missing Modality, AAAI 2021
    """
    choose("split", split, ("published", "none"))
    choose("test", test, ("published", "all"))
    if not 0 <= sound <= 1:
        raise UsageError(f"sound is the fraction of training rows that have their sound, 0 to 1, not {sound}")
    if seed < 0:
        raise UsageError(f"seed must be 0 or more, not {seed}")
    parts = {part: published(directory / "mnist", prefix) for part, prefix in PARTS.items()}
    spoken = _spoken(directory / "fsdd")
    heard = heard_rows([len(of_digit) for of_digit in spoken.values()], sound, np.random.default_rng(seed))
    table = TableWriter(out)
    for part, (images, labels) in parts.items():
        for digit, of_digit in spoken.items():
            rows = np.flatnonzero(labels == int(digit))
            rows = rows[: len(of_digit)] if part == "train" else rows[-TESTED:] if test == "published" else rows
            for i, row in enumerate(rows):
                image, audio = table.media(f"{part}/{digit}/{row:05d}.png", encode_png(images[row])), None
                if part == "train" and heard[int(digit)][i]:
                    recording, data = of_digit[i]
                    audio = table.media(f"{part}/{digit}/{recording.name}", data)
                assigned = {"split": part} if split == "published" else {}
                table.row(image=image, audio=audio, digit=digit, _number=int(row), **assigned)
    return table.close()


def _spoken(directory: Path) -> dict[str, list[tuple[Recording, bytes]]]:
    """The training recordings of each digit, by speaker and number."""
    published_sounds = recordings(locate(directory, (RECORDINGS,))[RECORDINGS])
    chosen = [
        recording
        for recording in sorted(published_sounds)
        if recording.speaker in SPEAKERS and recording.index >= FIRST
    ]
    spoken = {str(d): [(r, published_sounds[r]) for r in chosen if r.digit == str(d)] for d in range(10)}
    if empty := [digit for digit, of_digit in spoken.items() if not of_digit]:
        raise DataError(
            f"{directory} has no recordings of {', '.join(empty)} by {', '.join(SPEAKERS)} from number {FIRST} on"
        )
    return spoken


def heard_rows(counts: list[int], fraction: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Which rows have their sound, bool `[rows]` by digit: the first of a random order with the digits in turn."""
    places = [rng.permutation(count) for count in counts]
    turns = rng.permutation(len(counts))
    order = sorted((place, turns[d], d, i) for d, of_digit in enumerate(places) for i, place in enumerate(of_digit))
    heard = [np.zeros(count, bool) for count in counts]
    for _, _, d, i in order[: round(fraction * len(order))]:
        heard[d][i] = True
    return heard
