"""The world `glyphs`: letters of many alphabets as a picture, as the sound of their name, in words."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from omnishot.errors import UsageError
from omnishot.table.encoding import encode_png
from omnishot.table.writing import TableWriter
from omnishot.worlds import speech
from omnishot.worlds.glyphs import pictures
from omnishot.worlds.glyphs.alphabets import ALPHABETS, letters
from omnishot.worlds.glyphs.descriptions import describe
from omnishot.worlds.ranges import check_range

FEWEST = 3  # alphabets: one for each split


def make(
    out: str | Path,
    *,
    seed: int = 0,
    rows_per_letter: int = 20,
    alphabets: int | None = None,
    sound: bool | None = None,
    progress: bool = False,
) -> Path:
    """Letters of the world's alphabets: their picture, the sound of their name, and a partial description.

    Columns: `picture` (28 x 28 grayscale PNG), `sound` (8 kHz mono WAV, at most 0.8 s), `text`, `letter` (the
    target), `_alphabet` (a note), `split` (train, val or test; no alphabet in two). The same seed and options
    give the same files, byte for byte, with the same versions of Pillow, NumPy, matplotlib and eSpeak NG.

    Args:
        out: the table to write; `.parquet` holds pictures and sounds itself, others in a folder beside it.
        seed: of everything random, 0 or more.
        rows_per_letter: rows of each letter.
        alphabets: how many of the alphabets, 3 or more; all by default.
        sound: whether names are spoken; by default if `espeakng-loader` is installed, else a warning says so.
        progress: whether to show a progress bar.

    Raises:
        UsageError: for a number out of range, or `sound=True` without `espeakng-loader`.
    """
    check_range("seed", seed, 0)
    check_range("rows_per_letter", rows_per_letter, 1)
    if alphabets is not None:
        check_range("alphabets", alphabets, FEWEST, len(ALPHABETS))
    spoken = _speaks(sound)
    writer = TableWriter(out)
    rows = [letter for letter in letters(alphabets) for _ in range(rows_per_letter)]
    names = [speech.draw_utterance(letter.name, _rng(seed, row, 0)) for row, letter in enumerate(rows)]
    voices = speech.speak(names) if spoken else (None for _ in rows)
    bar = Progress(console=Console(stderr=True), disable=not progress)
    with contextlib.closing(voices), bar:
        for row, (letter, voice) in enumerate(zip(bar.track(rows, description="glyphs"), voices, strict=True)):
            picture = encode_png(pictures.draw(letter.char, _rng(seed, row, 1)))
            cells = {"picture": writer.media(f"{row:06d}.png", picture)}
            if voice is not None:
                recording = speech.encode_wav(speech.record(voice, _rng(seed, row, 2)))
                cells["sound"] = writer.media(f"{row:06d}.wav", recording)
            text = describe(letter, _rng(seed, row, 3))
            writer.row(**cells, text=text, letter=letter.label, _alphabet=letter.alphabet, split=letter.split)
    return writer.close()


def _rng(seed: int, row: int, part: int) -> np.random.Generator:
    """Every part of every row has its own generator, so that leaving the sound out changes no picture."""
    return np.random.default_rng([seed, row, part])


def _speaks(sound: bool | None) -> bool:
    """Whether to speak, from the option `sound` and what is installed."""
    if sound is False or speech.installed():
        return sound is not False
    missing = f"letters' names cannot be spoken without espeakng-loader; install it with: {speech.INSTALL}"
    if sound:
        raise UsageError(missing)
    warnings.warn(f"{missing}. Going on with pictures and text only.", stacklevel=3)
    return False
