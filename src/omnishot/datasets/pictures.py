"""The pictures that a data set's lists name, wherever they lie, and a report of the missing ones."""

from __future__ import annotations

import os
import unicodedata
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from omnishot.datasets.archive import ZIP_ERRORS, damaged, is_litter, read_bytes
from omnishot.errors import DataError
from omnishot.table.writing import TableWriter

NAMED = 5  # missing pictures that are named


class Pictures:
    """Stores pictures for `table` by their published name. Use it in a `with` block.

    At the end of the block one warning says how many pictures are missing or empty, and names the first.

    Args:
        table: where the pictures are stored.
        directory: the folder of the data set.
        folders: names that a folder of pictures may have; it lies in `directory` or a folder below, or is a zip of
            that name in `directory`. All that are there are searched, with the folders in them.
        depth: how many parts of its path a picture is named by: 1 for `NAME.jpg`, 2 for `CLASS/NAME.jpg`.
        noun: their name in messages, if they are not pictures.

    Raises:
        DataError: if there is none of `folders`, or, at the end, none of the pictures.
    """

    def __init__(
        self, table: TableWriter, directory: Path, folders: Sequence[str], *, depth: int = 1, noun: str = "picture"
    ):
        self.noun = noun
        self.table, self.directory, self.folders = table, directory, folders
        self.cells: dict[str, str | bytes | None] = {}
        self.missing: list[str] = []
        self._files: dict[str, tuple[zipfile.ZipFile | None, str]] = {}
        self._zips = ExitStack()
        for archive, name, path in self._listed():
            self._files.setdefault(_key("/".join(name.parts[-depth:])), (archive, path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zips.close()
        if kind is None and self.missing:
            self._report()

    def cell(self, *names: str) -> str | bytes | None:
        """The cell of the picture with one of `names`; None, which is counted, if it is missing or empty.

        Raises:
            DataError: if the picture cannot be read.
        """
        first = names[0]
        if first not in self.cells:
            key = next((key for key in map(_key, names) if key in self._files), None)
            data = self._read(*self._files[key]) if key else b""
            self.cells[first] = self.table.media(key, data) if key and data else None
            if not data:
                self.missing.append(first)
        return self.cells[first]

    def _report(self) -> None:
        named = ", ".join(self.missing[:NAMED])
        more = f" and {len(self.missing) - NAMED} more" if len(self.missing) > NAMED else ""
        if len(self.missing) == len(self.cells):
            raise DataError(
                f"none of the {len(self.cells)} {self.noun}s is in {self._sought()} of {self.directory}: missing are "
                f"{named}{more}; download and unpack the {self.noun}s there"
            )
        warnings.warn(
            f"missing or empty {self.noun}s: {len(self.missing)} of {len(self.cells)} ({named}{more}); "
            f"their rows are kept, without a {self.noun}",
            stacklevel=3,
        )

    def _sought(self) -> str:
        return ", ".join(f"{folder}/ or {folder}.zip" for folder in self.folders)

    def _listed(self) -> Iterator[tuple[zipfile.ZipFile | None, PurePosixPath, str]]:
        """Every file of the folders: its zip, its name there, and what to open it by."""
        places = list(self._places())
        if not places:
            raise DataError(f"{self.directory} holds no {self.noun}s; looked for {self._sought()}")
        for place in places:
            if place.is_dir():
                for folder, below, names in os.walk(place):
                    below.sort()
                    for name in sorted(names):
                        path = Path(folder, name)
                        inside = PurePosixPath(path.relative_to(place.parent).as_posix())
                        if not is_litter(inside):
                            yield None, inside, str(path)
            else:
                yield from self._entries(place)

    def _places(self) -> Iterator[Path]:
        for folder in self.folders:
            direct, packed = self.directory / folder, self.directory / f"{folder}.zip"
            if direct.is_dir():
                yield direct
            elif below := sorted(path for path in self.directory.glob(f"*/{folder}") if path.is_dir()):
                yield from below
            elif packed.is_file():
                yield packed

    def _entries(self, path: Path) -> Iterator[tuple[zipfile.ZipFile, PurePosixPath, str]]:
        try:
            archive = self._zips.enter_context(zipfile.ZipFile(path))
        except ZIP_ERRORS as error:
            raise damaged(path, error) from error
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
        for entry in sorted(archive.namelist()):
            inside = PurePosixPath(entry.replace("\\", "/"))
            if not entry.endswith("/") and not is_litter(inside):
                yield archive, inside, entry

    def _read(self, archive: zipfile.ZipFile | None, path: str) -> bytes:
        if archive is None:
            return read_bytes(Path(path))
        try:
            return archive.read(path)
        except ZIP_ERRORS as error:
            raise damaged(f"{archive.filename}: {path}", error) from error
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _key(name: str) -> str:
    """One spelling of a name: file systems differ in how they write an accent."""
    return unicodedata.normalize("NFC", name)
