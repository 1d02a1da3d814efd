"""Files sorted into folders, one a class: what the readers of pictures and of sounds share."""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from omnishot.datasets.archive import is_litter
from omnishot.datasets.class_split import deal_shares
from omnishot.errors import DataError, choose
from omnishot.table.cells import EXTENSIONS
from omnishot.table.writing import TableWriter

#: What folders of parts are called, in small letters.
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


def write(directory: Path, out: Path, *, kind: str, split: str, seed: int) -> Path:
    """Files of a kind ("image", "audio") that lie in folders of classes, as a table with a column of that name.

    Files of other kinds, files beside the folders of classes, and folders without a file of the kind are left out;
    warnings say how many. What cannot be decoded is kept: that is for `omnishot check` to say.

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
    dealt = deal_shares((file.label for file in files), seed, directory) if split == "classes" else {}
    empty = []
    for file in files:
        data = _content(directory / file.path)
        empty += [] if data else [directory / file.path]
        part = dealt.get(file.label, file.part)
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
    found = (path for path in directory.iterdir() if path.is_dir() and not is_litter(PurePosixPath(path.name)))
    return sorted(path for path in found if path.resolve() != own)


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


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
