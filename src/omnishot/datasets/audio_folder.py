"""Sounds of one's own, sorted into folders, one a class."""

from __future__ import annotations

from pathlib import Path

from omnishot.datasets import folders


def read(directory: Path, out: Path, *, split: str = "folders", seed: int = 0) -> Path:
    """Sounds of one's own, sorted into folders, one a class.

    Writes the files `CLASS/…/FILE`, or `train/CLASS/…/FILE` with val and test beside it, as a table, one row a sound.
    Folders within a class belong to it. Hidden files and file managers' litter are passed over.

    Columns: audio, label (the folder's name; the target), _file (the path in the folder), split.

    Args:
        split: "folders" is that of folders called train, val and test, if there are no others; without them there is no
            such column, so that Omnishot makes its own. "classes" shuffles the classes with `seed` into train, val (a
            tenth) and test (a fifth; two at least of each). "none" writes no such column.
        seed: of "classes".

    Raises:
        DataError: if there is no audio file in a folder, or one cannot be read.

    Paper: none: a layout, not a publication
    """
    return folders.write(directory, out, kind="audio", split=split, seed=seed)
