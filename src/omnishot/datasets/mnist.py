"""MNIST: 70,000 handwritten digits, 28×28 grey values."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from omnishot.datasets.archive import damaged, read_bytes
from omnishot.datasets.limit import RowLimit
from omnishot.errors import DataError, UsageError, choose
from omnishot.table.encoding import encode_png
from omnishot.table.writing import TableWriter

PARTS = {"train": "train", "test": "t10k"}  # the split a published file holds, and the prefix of its name
UNSIGNED_BYTES = 0x08  # idx's code for the type of the values


def read(directory: Path, out: Path, *, split: str = "published", val: int = 5000, limit: int | None = None) -> Path:
    """MNIST: 70,000 handwritten digits, 28×28 grey values.

    Writes the four published idx files, as `.gz` or unpacked, as a table, one row a digit.

    Columns: image (PNG), digit (the target, "0" to "9"), split. Every split holds all ten digits.

    Args:
        split: "published", with the last `val` training rows set apart for val; "none" writes no such column,
            so that Omnishot makes its own.
        val: how many training rows become val (rows); 0 for none.
        limit: keep the first so many rows of each digit in train, in val and in test (rows).

    Raises:
        DataError: if a file is missing or damaged.
        UsageError: if `val` would leave nothing to train on, or `limit` nothing at all.

    Paper: LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998
    """
    choose("split", split, ("published", "none"))
    kept = RowLimit(limit)
    table = TableWriter(out)
    parts = {part: published(directory, prefix) for part, prefix in PARTS.items()}
    rows = len(parts["train"][1])
    if not 0 <= val < rows:
        raise UsageError(f"val must be at least 0 and less than the {rows} training rows, got {val}")
    for part, (images, labels) in parts.items():
        for number, (image, digit) in enumerate(zip(images, labels, strict=True)):
            name = "val" if part == "train" and number >= rows - val else part
            if not kept.keeps(name, int(digit)):
                continue
            cell = table.media(f"{part}/{digit}/{number:05d}.png", encode_png(image))
            table.row(image=cell, digit=str(digit), **({"split": name} if split == "published" else {}))
    return table.close()


def idx(path: Path, dimensions: int) -> np.ndarray:
    """Read an idx file of unsigned bytes, gzipped if its name says so: uint8 with so many dimensions.

    The header is two zero bytes, the type, the number of dimensions, and each size as a big-endian int32.

    Raises:
        DataError: if the file is cut off, is not such a file, or cannot be read.
    """
    data = read_bytes(path)
    try:
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise damaged(path, error) from error
    magic = bytes([0, 0, UNSIGNED_BYTES, dimensions])
    start = 4 + 4 * dimensions
    if data[:4] != magic:
        raise damaged(path, f"it begins with 0x{data[:4].hex()} where idx has 0x{magic.hex()}")
    if len(data) < start:
        raise damaged(path, f"cut off in its header after {len(data)} bytes")
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    expected = int(np.prod(shape, dtype=object))
    if len(data) - start != expected:
        raise damaged(path, f"its header promises {shape}, {expected} bytes, but {len(data) - start} follow")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def published(directory: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """Images `[rows, height, width]` and labels `[rows]`."""
    pictures, classes = _file(directory, f"{prefix}-images", 3), _file(directory, f"{prefix}-labels", 1)
    images, labels = idx(pictures, 3), idx(classes, 1)
    if len(images) != len(labels):
        raise damaged(classes, f"it holds {len(labels)} labels for the {len(images)} images of {pictures.name}")
    if len(labels) and labels.max() > 9:
        raise damaged(classes, f"it holds the label {labels.max()}, which is no digit")
    return images, labels


def _file(directory: Path, stem: str, dimensions: int) -> Path:
    if not directory.is_dir():
        raise DataError(f"{directory} is not a folder; give the folder that holds MNIST's four idx files")
    # Unpackers differ in whether the hyphen before idx becomes a dot.
    names = [f"{stem}{mark}idx{dimensions}-ubyte{end}" for end in ("", ".gz") for mark in "-."]
    for name in names:
        if (directory / name).is_file():
            return directory / name
    raise DataError(f"{directory} lacks one of MNIST's four idx files; looked for {', '.join(names)}")
