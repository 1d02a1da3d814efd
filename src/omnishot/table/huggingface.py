"""Hugging Face `datasets` objects as a frame, without importing that library and without decoding media."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omnishot.errors import UsageError

MEDIA = {"Image": "image", "Audio": "audio", "Video": "video"}


def is_dataset(source: Any) -> bool:
    """Whether `source` is an object of the `datasets` library."""
    return type(source).__module__.split(".")[0] == "datasets"


def read_dataset(source: Any, split: str | None) -> tuple[pd.DataFrame, dict[str, str], Path | None]:
    """A Dataset or DatasetDict as a frame, the modalities that its features declare, and its folder.

    The parts of a DatasetDict become the column `split`. Files are named relative to the deepest folder that
    holds them all; that folder is None if the data set holds no files.

    Raises:
        UsageError: if it is streamed, or is a DatasetDict that has a split column already.
    """
    kind = type(source).__name__
    if kind == "Dataset":
        frame = _frame(source)
        declared = _declared(source)
    elif kind == "DatasetDict":
        if split is None or any(split in part.column_names for part in source.values()):
            raise UsageError(f"the parts of a DatasetDict become the column {split!r}: name another (split=)")
        frames = [_frame(part).assign(**{split: name}) for name, part in source.items()]
        frame = pd.concat(frames, ignore_index=True)
        declared = {name: kind for part in source.values() for name, kind in _declared(part).items()}
    else:
        raise UsageError(f"cannot read a {kind} of the datasets library: load it without streaming, as a Dataset")
    return frame, declared, _common_folder(frame, list(declared))


def _declared(dataset: Any) -> dict[str, str]:
    kinds = {name: MEDIA.get(type(feature).__name__) for name, feature in dataset.features.items()}
    return {name: kind for name, kind in kinds.items() if kind}


def _frame(dataset: Any) -> pd.DataFrame:
    classes = {name: f.names for name, f in dataset.features.items() if type(f).__name__ == "ClassLabel"}
    for name in _declared(dataset):
        dataset = dataset.cast_column(name, type(dataset.features[name])(decode=False))
    frame = dataset.with_format("arrow")[:].to_pandas()
    for name, names in classes.items():
        texts = np.array([*names, None], dtype=object)  # a missing class is None or -1
        frame[name] = texts[frame[name].fillna(-1).to_numpy(int)]
    return frame


def _common_folder(frame: pd.DataFrame, columns: list[str]) -> Path | None:
    """Make the absolute paths of files in these columns relative to the folder returned."""

    def local(cell: Any) -> str | None:
        path = cell.get("path") if isinstance(cell, dict) and not cell.get("bytes") else None
        return os.path.realpath(path) if path and os.path.isabs(path) else None

    files = {name: [local(cell) for cell in frame[name]] for name in columns}
    folders = {os.path.dirname(file) for column in files.values() for file in column if file}
    if not folders:
        return None
    root = os.path.commonpath(folders)
    for name, column in files.items():
        pairs = zip(column, frame[name], strict=True)
        frame[name] = [os.path.relpath(file, root) if file else cell for file, cell in pairs]
    return Path(root)
