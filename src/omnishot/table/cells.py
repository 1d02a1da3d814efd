"""One cell: whether it is missing, which medium it holds, and its content as bytes or an array."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

#: Which modality a file's extension stands for.
EXTENSIONS = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"), "image"),
    **dict.fromkeys((".wav", ".flac", ".ogg", ".mp3"), "audio"),
    **dict.fromkeys((".npy", ".csv", ".tsv", ".txt"), "series"),
    **dict.fromkeys((".mp4", ".mkv", ".avi", ".mov", ".webm"), "video"),
}
#: The first bytes of a file's content. RIFF holds several kinds: bytes 8 to 12 say which.
MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image",
    b"\xff\xd8\xff": "image",
    b"GIF8": "image",
    b"BM": "image",
    b"II*\x00": "image",
    b"MM\x00*": "image",
    b"fLaC": "audio",
    b"OggS": "audio",
    b"ID3": "audio",
    b"\xff\xfb": "audio",
    b"\x93NUMPY": "series",
    b"\x1aE\xdf\xa3": "video",
}
RIFF = {b"WEBP": "image", b"WAVE": "audio", b"AVI ": "video"}


class CellProblem(ValueError):
    """Why a cell cannot be opened; the reason alone, since the caller knows the row and the column."""


def missing(cell: Any) -> bool:
    """Whether a cell is missing: None, NaN, pandas' NA and NaT, an empty string, or no bytes at all."""
    if cell is None or (isinstance(cell, str | bytes | bytearray) and not cell):
        return True
    if isinstance(cell, str | bytes | bytearray | list | tuple | dict) or (hasattr(cell, "shape") and cell.shape):
        return False
    try:
        return bool(cell != cell)  # only NaN and NaT differ from themselves
    except TypeError:  # pandas.NA is neither true nor false
        return True


def media_kind(cell: Any) -> str | None:
    """The medium of a present cell by its extension, first bytes, or shape; None if it is none."""
    if isinstance(cell, str):
        may_be_path = "/" in cell or " " not in cell
        kind = EXTENSIONS.get(PurePosixPath(cell[-300:]).suffix.lower())
        return kind if may_be_path or kind != "series" else None
    if isinstance(cell, bytes | bytearray):
        return _magic(bytes(cell[:16]))
    if type(cell).__module__.startswith("PIL."):
        return "image"
    try:
        array = as_array(cell)
    except CellProblem:
        return None
    if array.dtype == np.uint8 and array.ndim in (2, 3):
        return "image"
    if array.dtype == np.uint8 and array.ndim == 4:
        return "video"
    return "series" if array.ndim in (1, 2) else None


def _magic(head: bytes) -> str | None:
    if head[:4] == b"RIFF":
        return RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return "video"
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)


def open_cell(cell: Any, folder: Path | None) -> bytes | np.ndarray:
    """The content of a present media cell: a file's bytes, or an array.

    Args:
        cell: a path relative to `folder`, bytes, an array or nested list of numbers, or a PIL image.
        folder: the table's own folder, which no path may leave; None refuses every path.

    Raises:
        CellProblem: if there is nothing to decode, with the reason.
    """
    if isinstance(cell, str | os.PathLike):
        return _read(os.fspath(cell), folder)
    if isinstance(cell, bytes | bytearray | memoryview):
        if not len(cell):
            raise CellProblem("holds no bytes")
        return bytes(cell)
    if type(cell).__module__.startswith("PIL."):
        return np.asarray(cell if cell.mode in ("L", "RGB", "RGBA") else cell.convert("RGB"))
    return as_array(cell)


def as_array(cell: Any) -> np.ndarray:
    """An array, or nested lists of numbers, as an array of bool, integers or floats.

    Raises:
        CellProblem: if it is neither, is ragged, or is empty.
    """
    if not isinstance(cell, list | tuple) and not hasattr(cell, "__array__"):
        raise CellProblem(f"is neither a path, bytes nor an array but {cell!r:.60} ({type(cell).__name__})")
    try:
        array = np.asarray(cell)
        if array.dtype == object:  # Parquet gives a nested list back as an array of arrays
            array = np.array([as_array(part) if np.ndim(part) or isinstance(part, list) else part for part in array])
    except (ValueError, TypeError):
        raise CellProblem("is a ragged list: its parts differ in length") from None
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise CellProblem(f"is no array of numbers (shape {array.shape}, type {array.dtype})")
    if not array.size:
        raise CellProblem(f"is an empty array (shape {array.shape})")
    return array


def _read(path: str, folder: Path | None) -> bytes:
    if folder is None:
        raise CellProblem(f"is a path ({path!r:.80}), but the rows have no folder: give bytes or an array instead")
    try:
        root = os.path.realpath(folder)
        real = os.path.realpath(os.path.join(root, path))
        if os.path.commonpath([root, real]) != root:
            raise CellProblem(f"points outside the table's folder: {path}")
        status = os.stat(real)
        if stat.S_ISDIR(status.st_mode):
            raise CellProblem(f"is a directory, not a file: {path}")
        if not stat.S_ISREG(status.st_mode):
            raise CellProblem(f"is no regular file: {path}")
        with open(real, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        raise CellProblem(f"no such file: {path}") from None
    except OSError as error:
        raise CellProblem(f"cannot be read: {path}: {error.strerror}") from None
    except ValueError as error:
        raise error if isinstance(error, CellProblem) else CellProblem(f"is no path: {path!r:.80}") from None
    if not content:
        raise CellProblem(f"is an empty file: {path}")
    return content
