from __future__ import annotations

import gzip
import io
import struct

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omnishot.datasets import read
from omnishot.datasets.mnist import idx
from omnishot.errors import DataError, UsageError


def packed(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


PARTS = {
    prefix: (np.random.default_rng(rows).integers(0, 256, (rows, 5, 4)), np.arange(rows) % 10)
    for prefix, rows in (("train", 50), ("t10k", 20))
}


def publish(directory, *, gz=True, dot=False):
    directory.mkdir()
    for prefix, (images, labels) in PARTS.items():
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            name = f"{prefix}-{kind}-ubyte".replace("-idx", ".idx" if dot else "-idx")
            data = packed(array)
            (directory / (name + ".gz" * gz)).write_bytes(gzip.compress(data) if gz else data)
    (directory / ".DS_Store").write_bytes(b"litter")
    return directory


@pytest.fixture
def published(tmp_path):
    return publish(tmp_path / "mnist")


@pytest.mark.parametrize(("gz", "dot"), [(True, False), (False, False), (False, True)])
def test_pictures_and_digits_survive(tmp_path, gz, dot):
    directory = publish(tmp_path / "mnist", gz=gz, dot=dot)
    table = pd.read_csv(read("mnist", directory, tmp_path / "t.csv", val=20), dtype=str)
    assert list(table) == ["image", "digit", "split"]
    assert table.split.tolist() == ["train"] * 30 + ["val"] * 20 + ["test"] * 20
    assert table.digit.tolist() == [str(d) for _, labels in PARTS.values() for d in labels]
    images = [np.asarray(Image.open(tmp_path / cell)) for cell in table.image]
    np.testing.assert_array_equal(images, np.concatenate([images for images, _ in PARTS.values()]))


def test_limit_keeps_the_first_of_each_digit_in_each_split(published, tmp_path):
    table = pd.read_parquet(read("mnist", published, tmp_path / "t.parquet", val="20", limit="1"))
    assert (table.groupby(["split", "digit"]).size() == 1).all()
    assert len(table) == 3 * 10
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(table.image[0]))), PARTS["train"][0][0])


def test_no_split_column_when_omnishot_is_to_make_one(published, tmp_path):
    table = pd.read_parquet(read("mnist", published, tmp_path / "t.parquet", val=0, split="none"))
    assert list(table) == ["image", "digit"]
    assert len(table) == 70


def test_val_must_leave_rows_to_train_on(published, tmp_path):
    with pytest.raises(UsageError, match="less than the 50 training rows, got 5000"):
        read("mnist", published, tmp_path / "t.csv")


def test_a_missing_file_is_named(published, tmp_path):
    (published / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"lacks one .*t10k-labels-idx1-ubyte\.gz"):
        read("mnist", published, tmp_path / "t.csv", val=0)


LABELS = packed(PARTS["train"][1])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(LABELS)[:-20], "end-of-stream"),
        (LABELS, "Not a gzipped file"),
        (gzip.compress(b"\0\0\x08\x03" + LABELS[4:]), "begins with 0x00000803 where idx has 0x00000801"),
        (gzip.compress(b""), "begins with 0x where idx has"),
        (gzip.compress(LABELS[:6]), "cut off in its header after 6 bytes"),
        (gzip.compress(LABELS[:-1]), r"promises \(50,\), 50 bytes, but 49 follow"),
        (gzip.compress(LABELS + b"\0"), r"promises \(50,\), 50 bytes, but 51 follow"),
        (gzip.compress(packed(np.zeros(49))), "49 labels for the 50 images"),
        (gzip.compress(packed(np.full(50, 10))), "the label 10, which is no digit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",  # not the bytes, which hold the time
)
def test_a_damaged_file_is_named_with_the_reason(published, tmp_path, data, reason):
    (published / "train-labels-idx1-ubyte.gz").write_bytes(data)
    with pytest.raises(DataError, match=rf"train-labels-idx1-ubyte\.gz is damaged: .*{reason}"):
        read("mnist", published, tmp_path / "t.csv", val=0)


def test_a_header_that_promises_more_than_memory_is_refused(tmp_path):
    path = tmp_path / "huge"
    path.write_bytes(struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1))
    with pytest.raises(DataError, match="but 0 follow"):
        idx(path, 3)


def test_as_published(shared_data, tmp_path):
    table = pd.read_parquet(read("mnist", shared_data / "mnist", tmp_path / "t.parquet", limit=50))
    assert (table.groupby(["split", "digit"]).size() == 50).all()
    assert len(table) == 3 * 10 * 50


@pytest.mark.slow
def test_all_as_published(shared_data, tmp_path):
    table = pd.read_parquet(read("mnist", shared_data / "mnist", tmp_path / "t.parquet"))
    assert table.split.value_counts().to_dict() == {"train": 55_000, "test": 10_000, "val": 5_000}
    assert table.digit.value_counts()["1"] == 7877
    assert {Image.open(io.BytesIO(image)).size for image in table.image[::1000]} == {(28, 28)}
