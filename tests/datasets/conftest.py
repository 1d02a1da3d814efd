"""Writing small data sets in published layouts, litter included."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

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
