from __future__ import annotations

import gzip
import struct

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omnishot.datasets import read
from omnishot.errors import DataError, UsageError

PER_DIGIT = {"train": 12, "t10k": 50}
SPOKEN = 9  # training recordings of each digit below


@pytest.fixture
def published(tmp_path):
    """MNIST with pictures that say their own number, and recordings that say their own name."""
    directory = tmp_path / "published"
    (directory / "mnist").mkdir(parents=True)
    (directory / "fsdd" / "recordings").mkdir(parents=True)
    for prefix, each in PER_DIGIT.items():
        labels = np.random.default_rng(each).permutation(np.arange(10).repeat(each))
        images = np.zeros((len(labels), 3, 2))
        images[:, 0] = np.stack([np.arange(len(labels)) // 256, np.arange(len(labels)) % 256], 1)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            data = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
            (directory / "mnist" / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(data))
    for speaker in ("george", "jackson", "nicolas", "theo"):
        for digit in range(10):
            for index in (3, 14, 15, 16, 30):
                name = f"{digit}_{speaker}_{index}"
                (directory / "fsdd" / "recordings" / f"{name}.wav").write_bytes(name.encode())
    return directory


def table(published, tmp_path, **options):
    return pd.read_csv(read("avmnist", published, tmp_path / "t.csv", **options), dtype=str, keep_default_na=False)


def test_pictures_and_recordings_of_a_digit_form_a_row(published, tmp_path):
    rows = table(published, tmp_path)
    assert list(rows) == ["image", "audio", "digit", "_number", "split"]
    train, test = (rows[rows.split == part] for part in ("train", "test"))
    assert train.digit.value_counts().to_dict() == {str(d): SPOKEN for d in range(10)}
    assert test.digit.value_counts().to_dict() == {str(d): 45 for d in range(10)}
    assert (test.audio == "").all()
    names = [(tmp_path / cell).read_bytes().decode().split("_") for cell in train.audio]
    assert [digit for digit, _, _ in names] == train.digit.tolist()
    assert {(speaker, int(index)) for _, speaker, index in names} == {
        (speaker, index) for speaker in ("jackson", "nicolas", "theo") for index in (15, 16, 30)
    }
    shown = [np.asarray(Image.open(tmp_path / cell))[0].tolist() for cell in rows.image]
    assert [256 * high + low for high, low in shown] == rows._number.astype(int).tolist()


def test_train_has_the_first_pictures_of_a_digit_and_test_the_last(published, tmp_path):
    rows = table(published, tmp_path)
    for part, each in (("train", PER_DIGIT["train"]), ("test", PER_DIGIT["t10k"])):
        labels = np.random.default_rng(each).permutation(np.arange(10).repeat(each))
        for digit in range(10):
            every = np.flatnonzero(labels == digit)
            expected = every[:SPOKEN] if part == "train" else every[-45:]
            here = rows[(rows.split == part) & (rows.digit == str(digit))]
            assert here._number.astype(int).tolist() == expected.tolist()
    every = table(published, tmp_path, test="all")
    assert every[every.split == "test"].digit.value_counts().to_dict() == {str(d): 50 for d in range(10)}


def test_a_larger_fraction_keeps_the_sounds_of_a_smaller_one(published, tmp_path):
    kept = {}
    for fraction, rows in ((0.0, 0), (0.15, 14), (0.5, 45), (1.0, 90)):
        part = table(published, tmp_path, sound=fraction)
        heard = part[part.audio != ""]
        counts = heard.digit.value_counts().reindex([str(d) for d in range(10)], fill_value=0)
        assert counts.sum() == rows
        assert counts.max() - counts.min() <= 1
        kept[fraction] = set(heard.image)
    assert kept[0.15] < kept[0.5] < kept[1.0]
    again, other = (table(published, tmp_path, sound=0.5, seed=seed) for seed in (0, 1))
    assert set(again[again.audio != ""].image) == kept[0.5]
    assert set(other[other.audio != ""].image) != kept[0.5]


def test_no_split_column_when_omnishot_is_to_make_one(published, tmp_path):
    assert list(table(published, tmp_path, split="none")) == ["image", "audio", "digit", "_number"]


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_a_fraction_is_between_none_and_all(published, tmp_path, fraction):
    with pytest.raises(UsageError, match=f"0 to 1, not {fraction}"):
        read("avmnist", published, tmp_path / "t.csv", sound=fraction)


def test_digits_that_nobody_says_are_named(published, tmp_path):
    for path in (published / "fsdd" / "recordings").glob("[37]_*"):
        if not path.name.endswith("_14.wav"):
            path.unlink()
    with pytest.raises(DataError, match="no recordings of 3, 7 by jackson, nicolas, theo from number 15 on"):
        read("avmnist", published, tmp_path / "t.csv")


def test_as_published(shared_data, tmp_path):
    rows = pd.read_parquet(read("avmnist", shared_data, tmp_path / "t.parquet", sound="0.05", test="all"))
    train, test = (rows[rows.split == part] for part in ("train", "test"))
    assert (len(train), train.audio.notna().sum(), len(test), test.audio.notna().sum()) == (1050, 52, 10_000, 0)
    assert (train.groupby("digit").size() == 105).all()
