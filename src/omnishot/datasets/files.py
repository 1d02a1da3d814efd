"""Single files of a published data set, located by name and read strictly."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from omnishot.datasets.archive import ZIP_ERRORS, damaged, is_litter, read_bytes
from omnishot.errors import DataError

DEPTH = 2  # folders below the given one that are searched


class File(NamedTuple):
    """A file: where it lies, for messages, and its bytes."""

    where: str
    data: bytes


def find(directory: Path, *names: str) -> File | None:
    """The first of the files `names` in `directory`, in a folder or two below it, or in a zip that lies in it.

    Raises:
        DataError: if `directory` is no folder, or the file or a zip on the way cannot be read.
    """
    if not directory.is_dir():
        raise DataError(f"{directory} is not a folder; give the folder that holds {' or '.join(names)}")
    for name in names:
        for depth in range(DEPTH + 1):
            for path in sorted(directory.glob("*/" * depth + name)):
                if not is_litter(PurePosixPath(path.relative_to(directory).as_posix())) and (file := plain(path)):
                    return file
    for path in sorted(directory.glob("*.zip")):
        if file := _in_zip(path, names):
            return file
    return None


def plain(path: Path) -> File | None:
    """The file at exactly this path, if there is one.

    Raises:
        DataError: if it cannot be read.
    """
    return File(str(path), read_bytes(path)) if path.is_file() else None


def need(directory: Path, *names: str, remedy: str = "") -> File:
    """As `find`, for a file that must be there.

    Raises:
        DataError: also if the file does not exist; `remedy` ends the message.
    """
    file = find(directory, *names)
    if file is None:
        raise DataError(
            f"{directory} holds none of the published files; looked for {', '.join(names)}, unpacked or in a zip"
            + (f"; {remedy}" if remedy else "")
        )
    return file


def lines(file: File) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, each with its number. Line ends may be of any system.

    Raises:
        DataError: naming the line that is not UTF-8.
    """
    try:
        file.data.decode()
    except UnicodeDecodeError as error:
        number = file.data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file.where}, line {number}: not UTF-8 ({error.reason}); save it as UTF-8") from None
    # Line by line, for some files are large; splitlines() would also split at the Unicode separators in a sentence.
    for number, line in enumerate(io.TextIOWrapper(io.BytesIO(file.data), encoding="utf-8-sig"), start=1):
        if line.strip():
            yield number, line.removesuffix("\n")


def fields(file: File, least: int) -> Iterator[list[str]]:
    """The lines split at blanks into at least `least` fields.

    Raises:
        DataError: naming the line that has fewer.
    """
    for number, line in lines(file):
        row = line.split()
        if len(row) < least:
            raise damaged(f"{file.where}, line {number}", f"{line!r:.80} has fewer than {least} fields")
        yield row


def parse_json(file: File) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: if it is not JSON.
    """
    try:
        return json.loads(file.data)
    except ValueError as error:  # of the encoding, too
        raise damaged(file.where, error) from None


@contextmanager
def laid_out(where: str) -> Iterator[None]:
    """Turn an error in reading the fields of the file `where` into a DataError.

    Raises:
        DataError: if a part is missing or of another type.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        lacks = f"lacks {error.args[0]!r}" if isinstance(error, KeyError) else f"has another layout ({error})"
        raise damaged(where, f"it {lacks}") from error


def _in_zip(path: Path, names: Sequence[str]) -> File | None:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                for entry in sorted(archive.namelist()):
                    inside = PurePosixPath(entry.replace("\\", "/"))
                    if inside.name == name and not entry.endswith("/") and not is_litter(inside):
                        return File(f"{path}: {entry}", archive.read(entry))
    except ZIP_ERRORS as error:
        raise damaged(path, error) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    return None
