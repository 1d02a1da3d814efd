"""avMNIST as arrays, and the rows that a training and a test read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import omnishot as om
from omnishot.datasets import read
from omnishot.datasets.avmnist import TESTED, heard_rows
from omnishot.episodes.store import Store
from omnishot.episodes.tasks import Draw, Index
from omnishot.modality.inputs import decode_inputs, fit_inputs

IMAGE, AUDIO = "image", "audio"
DIGITS = 10
SECONDS = 0.8  # that 99 of 100 sounds keep within


@dataclass(frozen=True)
class Digits:
    """All rows.

    Args:
        store: image and audio of the 1,050 training rows, then the images of the 10,000 test rows.
        digit: int64 `[n]`.
        train, test, last: row numbers: the training rows, all test rows, the 450 that papers report.
    """

    store: Store
    digit: np.ndarray
    train: np.ndarray
    test: np.ndarray
    last: np.ndarray

    def with_sound(self, fraction: float, seed: int) -> Digits:
        """The same, of whose training rows a fraction has its sound, drawn by `seed`; with none, images alone."""
        if not fraction:
            only = {IMAGE: self.store.modalities[IMAGE]}
            return replace(self, store=replace(self.store, modalities=only, present=self.store.present[:, :1]))
        counts = np.bincount(self.digit[self.train], minlength=DIGITS)
        present = self.store.present.copy()
        present[self.train, 1] &= np.concatenate(heard_rows(list(counts), fraction, np.random.default_rng(seed)))
        return replace(self, store=replace(self.store, present=present))

    def without(self, fold: int, folds: int) -> tuple[Digits, np.ndarray]:
        """The same without a fold of the training rows, and that fold's rows; of each digit as many as of any other."""
        luck = np.random.default_rng(0)
        of = np.concatenate([luck.permutation(n) for n in np.bincount(self.digit[self.train])]) % folds
        return replace(self, train=self.train[of != fold]), self.train[of == fold]


def digits(folder: Path, table: Path) -> Digits:
    """The rows of the published files in `folder`, by way of a table that is written if it is not there."""
    if not table.exists():
        read("avmnist", folder, table, test="all")
    rows = om.read_table(table, target="digit", inputs=[IMAGE, AUDIO], split=None)
    part = rows.frame["split"].to_numpy()
    digit = rows.labels[0]
    train, test = (np.flatnonzero(part == name) for name in ("train", "test"))
    modalities = fit_inputs(rows, train, {AUDIO: {"seconds": SECONDS}})
    decoded = decode_inputs(rows, modalities, cached=False)
    store = Store(modalities, decoded.stored, decoded.present, digit)
    last = np.concatenate([test[digit[test] == d][-TESTED:] for d in range(DIGITS)])
    return Digits(store, digit, train, test, last)


class ImagesAndSounds:
    """Tasks whose support rows are drawn from all rows to learn from, and query rows from those that have sound.

    The latter may be few: they are drawn with replacement.
    """

    def __init__(self, data: Digits):
        sounding = data.train[data.store.present[data.train, 1]]
        self.images, self.sounds = (Index(data.digit[rows], rows) for rows in (data.train, sounding))

    def draw(self, rng: np.random.Generator, tasks: int, ways: int, shots: int, queries: int) -> Draw:
        digit = np.tile(np.arange(ways), (tasks, 1))
        place = rng.integers(self.sounds.starts[:-1, None], self.sounds.starts[1:, None], size=(tasks, ways, queries))
        support, query = self.images.sample(rng, digit, shots), self.sounds.order[place].astype(np.int64)
        targets = (np.tile(np.repeat(np.arange(ways), n), (tasks, 1)) for n in (shots, queries))
        return Draw(support.reshape(tasks, -1), query.reshape(tasks, -1), *targets, ways)
