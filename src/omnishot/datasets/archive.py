"""Files of a published data set, in their zip or unpacked."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from omnishot.errors import DataError

LITTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}
#: What reading a damaged zip raises.
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError)


def locate(directory: Path, parts: Sequence[str]) -> dict[str, Path]:
    """Where each of `parts` lies in `directory`: the folder of that name or, where there is none, the zip.

    Parts that are not there are left out.

    Raises:
        DataError: if `directory` is no folder, or holds none of the parts.
    """
    if not directory.is_dir():
        raise DataError(f"{directory} is not a folder; give the folder that holds {_named(parts)}")
    places = {}
    for part in parts:
        folder, packed = directory / part, directory / f"{part}.zip"
        if folder.is_dir() or packed.is_file():
            places[part] = folder if folder.is_dir() else packed
    if not places:
        raise DataError(f"{directory} holds none of the published files; looked for {_named(parts)}")
    return places


def contents(path: Path, suffix: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The files of a folder or zip that end in `suffix`, as (relative name, bytes), sorted by name.

    Files that archivers and file managers leave (`__MACOSX`, hidden files like `.DS_Store`) are skipped.

    Raises:
        DataError: if there is no such file, or the zip or a file in it is damaged.
    """
    files = _zipped(path, suffix) if path.is_file() else _unpacked(path, suffix)
    empty = True
    for file in files:
        empty = False
        yield file
    if empty:
        raise DataError(f"{path} holds no {suffix} file; unpack or download it again")


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def damaged(path: Path | str, reason: object) -> DataError:
    """The error to raise for a file that is not what was published."""
    return DataError(f"{path} is damaged: {reason}; download it again")


def _unpacked(folder: Path, suffix: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    names = (PurePosixPath(file.relative_to(folder).as_posix()) for file in folder.rglob("*") if file.is_file())
    for name in _matching(names, suffix):
        yield name, read_bytes(folder / name)


def _zipped(path: Path, suffix: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    name: PurePosixPath | str = ""
    try:
        with zipfile.ZipFile(path) as archive:
            # Some archivers on Windows separate folders by backslashes.
            entries = {
                PurePosixPath(entry.filename.replace("\\", "/")): entry
                for entry in archive.infolist()
                if not entry.is_dir()
            }
            for name in _matching(entries, suffix):
                yield name, archive.read(entries[PurePosixPath(name)])
    except ZIP_ERRORS as error:
        raise damaged(path, f"{name}: {error}" if name else error) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _matching(names: Iterator[PurePosixPath] | dict, suffix: str) -> list[PurePosixPath]:
    return sorted(name for name in names if name.suffix.lower() == suffix and not is_litter(name))


def is_litter(name: PurePosixPath) -> bool:
    """Whether archivers or file managers left the file behind."""
    return any(part.startswith(".") or part in LITTER for part in name.parts)


def _named(parts: Sequence[str]) -> str:
    return ", ".join(f"{part}/ or {part}.zip" for part in parts)
