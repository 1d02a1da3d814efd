"""Your own pictures or sounds, sorted into folders, one a class."""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from omnishot.datasets.archive import is_litter, read_bytes
from omnishot.datasets.class_split import split_by_fractions
from omnishot.errors import DataError, choose
from omnishot.table.cells import EXTENSIONS
from omnishot.table.writing import TableWriter

#: Names of the folders of parts, in lower case.
PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
SPLITS = ("folders", "classes", "none")


class Filed(NamedTuple):
    """A file of a class: its path below the directory, and the part that it lies in, if there are any."""

    path: PurePosixPath
    label: str
    part: str | None


def read_images(directory: Path, out: Path, *, split: str = "folders", seed: int = 0) -> Path:
    """Your own pictures, sorted into folders, one a class.

    Writes the files `CLASS/…/FILE`, or `train/CLASS/…/FILE` with val and test beside it, as a table, one row a picture.
    Folders within a class belong to it. Hidden files and files of file managers are skipped.

    Columns: image, label (the folder's name; the target), _file (the path in the folder), split.

    Args:
        split: "folders" is that of folders called train, val and test, if there are no others; without them there is no
            such column, so that Omnishot makes its own. "classes" shuffles the classes with `seed` into train, val (a
            tenth) and test (a fifth; two at least of each). "none" writes no such column.
        seed: of "classes".

    Raises:
        DataError: if there is no image file in a folder, or one cannot be read.

    Paper: none: a layout, not a publication
    """
    return write(directory, out, kind="image", split=split, seed=seed)


def read_audio(directory: Path, out: Path, *, split: str = "folders", seed: int = 0) -> Path:
    """Your own sounds, sorted into folders, one a class.

    Columns: audio, label (the folder's name; the target), _file (the path in the folder), split. Folders and options
    are those of `image-folder`.

    Args:
        split: "folders", "classes" or "none".
        seed: of "classes".

    Raises:
        DataError: if there is no audio file in a folder, or one cannot be read.

    Paper: none: a layout, not a publication
    """
    return write(directory, out, kind="audio", split=split, seed=seed)


def write(directory: Path, out: Path, *, kind: str, split: str, seed: int) -> Path:
    """Files of a kind ("image", "audio") that lie in folders of classes, as a table with a column of that name.

    Files of other kinds, files beside the folders of classes, and folders without a file of the kind are left out;
    warnings count them. Files that cannot be decoded are kept: `omnishot check` reports them.

    Raises:
        DataError: if there is no such file, or one cannot be read.
    """
    choose("split", split, SPLITS)
    table = TableWriter(out)
    own = (table.out.parent / table.folder).resolve()  # a table beside the classes must not become one
    tops = _folders(directory, own)
    parted = bool(tops) and all(top.name.lower() in PARTS for top in tops) and any(_folders(top, own) for top in tops)
    classes = [(top, PARTS[top.name.lower()]) for top in tops] if parted else [(directory, None)]
    files, others, bare = [], _loose(directory, kind) if parted else [], []
    for place, part in classes:
        others += _loose(place, kind)
        for folder in _folders(place, own):
            fitting, strange = _within(folder, kind)
            others += strange
            bare += [] if fitting else [folder]
            label = unicodedata.normalize("NFC", folder.name)
            files += [Filed(PurePosixPath(path.relative_to(directory).as_posix()), label, part) for path in fitting]
    if not files:
        raise DataError(
            f"{directory} holds no {kind} files; looked for a folder for each class with {_extensions(kind)}"
        )
    _warn(directory, others, f"files left out, which are no {kind} of a class")
    _warn(directory, bare, f"class folders without {kind} files")
    if split == "folders":
        _warn_of_shared(directory, files)
    splits = split_by_fractions((file.label for file in files), seed, directory) if split == "classes" else {}
    empty = []
    for file in files:
        data = read_bytes(directory / file.path)
        empty += [] if data else [directory / file.path]
        part = splits.get(file.label, file.part)
        assigned = {"split": part} if split != "none" and part else {}
        table.row(**{kind: table.media(str(file.path), data)}, label=file.label, _file=str(file.path), **assigned)
    _warn(directory, empty, "empty files, kept for `omnishot check` to name")
    return table.close()


def _warn_of_shared(directory: Path, files: list[Filed]) -> None:
    """Parts that share classes are good for ordinary training; tasks of new classes need others."""
    parts: dict[str, set[str | None]] = {}
    for file in files:
        parts.setdefault(file.label, set()).add(file.part)
    if shared := sorted(label for label, of_class in parts.items() if len(of_class) > 1):
        warnings.warn(
            f"{directory}: {len(shared)} of {len(parts)} classes are in more than one part ({shared[0]} first), and "
            "`omnishot train` takes parts that share none: import with split=none or split=classes",
            stacklevel=4,
        )


def _folders(directory: Path, own: Path) -> list[Path]:
    """The folders in a folder, sorted, without litter and the table's own."""
    if not directory.is_dir():
        raise DataError(f"{directory} is not a folder; give one with a folder for each class")
    folders = (path for path in directory.iterdir() if path.is_dir() and not is_litter(PurePosixPath(path.name)))
    return sorted(path for path in folders if path.resolve() != own)


def _loose(directory: Path, kind: str) -> list[Path]:
    """Files of the kind beside the folders of classes."""
    return sorted(path for path in directory.iterdir() if path.is_file() and _fits(path, kind))


def _within(folder: Path, kind: str) -> tuple[list[Path], list[Path]]:
    """The files of the kind in a folder, however deep, and the others."""
    fitting: list[Path] = []
    others: list[Path] = []
    for path in _walk(folder):
        (fitting if _fits(path, kind) else others).append(path)
    return fitting, others


def _walk(folder: Path) -> Iterator[Path]:
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not is_litter(PurePosixPath(name)))
        yield from (Path(place, name) for name in sorted(names) if not is_litter(PurePosixPath(name)))


def _fits(path: Path, kind: str) -> bool:
    return not is_litter(PurePosixPath(path.name)) and EXTENSIONS.get(path.suffix.lower()) == kind


def _extensions(kind: str) -> str:
    return ", ".join(extension for extension, of in EXTENSIONS.items() if of == kind)


def _warn(directory: Path, paths: list[Path], what: str) -> None:
    if paths:
        warnings.warn(f"{directory}: {len(paths)} {what} ({paths[0].relative_to(directory)} first)", stacklevel=4)
