"""Files of numbers: .npy, or text with one line per step."""

from __future__ import annotations

import io
import math

import numpy as np

from omnishot.modality.base import CellError
from omnishot.modality.file_signatures import describe_bytes

_NPY = b"\x93NUMPY"
_SEPARATORS = ("\t", ",", ";")  # the first of these in the first line; else blanks


def read_numbers(data: bytes) -> np.ndarray:
    """An array of any shape from a .npy file, or float64 `[lines, values]` from text, NaN where empty.

    The separator of a text is the first of tab, comma, semicolon and blank in its first line; a header is skipped.

    Raises:
        CellError: with the line, if the file is damaged or holds anything but numbers.
    """
    return _from_npy(data) if data.startswith(_NPY) else _from_text(data)


def _from_npy(data: bytes) -> np.ndarray:
    """Compare the size in the header with the file's first, so that a forged header allocates nothing."""
    try:
        file = io.BytesIO(data)
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except Exception as error:  # the header is a Python literal: damage raises errors of many types
        raise CellError(f"damaged .npy file ({error})") from None
    if dtype.kind not in "buif":
        raise CellError(f".npy file of {dtype}, not of numbers")
    announced, there = math.prod(shape) * dtype.itemsize, len(data) - file.tell()
    if there < announced:
        raise CellError(f".npy file is truncated ({announced} bytes announced, {there} are there)")
    return np.load(io.BytesIO(data), allow_pickle=False)


def _from_text(data: bytes) -> np.ndarray:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CellError(f"no series, but {describe_bytes(data)}") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise CellError("empty series")
    separator = next((mark for mark in _SEPARATORS if mark in lines[0][1]), None)
    first = lines[0][1].split(separator)
    if any(_number(item) is None for item in first):
        del lines[0]
    rows = []
    for number, line in lines:
        items = line.split(separator)
        if len(items) != len(first):
            raise CellError(f"line {number} has {len(items)} values, the first line {len(first)}")
        row = [_number(item) for item in items]
        if None in row:
            raise CellError(f"line {number}: {items[row.index(None)].strip()[:40]!r} is no number")
        rows.append(row)
    if not rows:
        raise CellError(f"no line of numbers, but {describe_bytes(data)}")
    return np.array(rows, np.float64)


def _number(item: str) -> float | None:
    try:
        return float(item) if item.strip() else math.nan
    except ValueError:
        return None
