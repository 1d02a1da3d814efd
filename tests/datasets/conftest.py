"""Writing small data sets in published layouts, litter included."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from omnishot.datasets import read

LITTER = (".DS_Store", "__MACOSX/{part}/._{file}", "sub/.hidden{suffix}")


def _littered(part: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    first = next(iter(files))
    named = (litter.format(part=part, file=Path(first).name, suffix=Path(first).suffix) for litter in LITTER)
    return dict.fromkeys(named, b"litter") | dict(files)


@pytest.fixture
def publish(tmp_path: Path) -> Callable[..., Path]:
    """Writes `files` (name below the part -> bytes) as a folder or a zip; returns the directory it is in."""
    directory = tmp_path / "published"

    def write(part: str, files: Mapping[str, bytes], *, zipped: bool) -> Path:
        directory.mkdir(exist_ok=True)
        if zipped:
            with zipfile.ZipFile(directory / f"{part}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                # Unsorted on purpose: the order inside an archive must not matter.
                for name, data in reversed(_littered(part, files).items()):
                    archive.writestr(name if name.startswith("__MACOSX") else f"{part}/{name}", data)
            return directory
        for name, data in _littered(part, files).items():
            path = directory / part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return directory

    return write


@pytest.fixture(scope="session")
def png() -> Callable[[int], bytes]:
    """A small picture of one grey value."""

    def make(value: int) -> bytes:
        buffer = io.BytesIO()
        Image.new("L", (4, 4), value).save(buffer, "PNG")
        return buffer.getvalue()

    return make


@pytest.fixture
def lay(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """Writes files, by their path in the data set's folder, and returns the folder."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "set"

    return write


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Imports a data set as `t.jsonl` and returns its rows."""

    def rows(name: str, directory: Path, **options: Any) -> list[dict[str, Any]]:
        out = read(name, directory, tmp_path / "t.jsonl", **options)
        return [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n") if line]

    return rows


@pytest.fixture(scope="session")
def pack() -> Callable[[Mapping[str, bytes]], bytes]:
    """Makes a zip of files, as bytes."""

    def zipped(files: Mapping[str, bytes]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return buffer.getvalue()

    return zipped
