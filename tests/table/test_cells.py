import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omnishot.table.cells import CellProblem, media_kind, missing, open_cell


@pytest.mark.parametrize("cell", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, "", b""])
def test_missing(cell):
    assert missing(cell)


@pytest.mark.parametrize("cell", [0, 0.0, False, "NA", "None", " ", b"\0", [], np.zeros(0), np.array([np.nan]), {}])
def test_not_missing(cell):
    assert not missing(cell)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("a/b c.PNG", "image"),
        ("x.mp3", "audio"),
        ("clip.webm", "video"),
        ("pen.txt", "series"),
        ("see notes.txt", None),
        ("my folder/see notes.txt", "series"),
        ("a sentence about .png files", None),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio"),
        (b"fLaC....", "audio"),
        (b"\x93NUMPY\x01\0", "series"),
        (b"no magic", None),
        (np.zeros((4, 4), np.uint8), "image"),
        (np.zeros((4, 4, 3), np.uint8), "image"),
        (np.zeros((2, 4, 4, 3), np.uint8), "video"),
        (np.zeros(5, np.float32), "series"),
        ([[0.5, 1.0], [2.0, 3.0]], "series"),
        (np.zeros((2, 3, 4)), None),
        (Image.new("L", (2, 2)), "image"),
        ({"no": "media"}, None),
        (3.5, None),
    ],
)
def test_media_kind(cell, kind):
    assert media_kind(cell) == kind


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_images_are_known_by_their_first_bytes(kind):
    assert media_kind(encoded(kind)) == "image"


def test_open_cell_gives_bytes_and_arrays(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.bin").write_bytes(b"content")
    assert open_cell("sub/a.bin", tmp_path) == b"content"
    assert open_cell(Path("sub/../sub/a.bin"), tmp_path) == b"content"  # stays inside
    assert open_cell(b"raw", None) == b"raw"
    np.testing.assert_array_equal(open_cell([[1, 2], [3, 4]], None), [[1, 2], [3, 4]])
    nested = np.empty(2, dtype=object)  # what Parquet gives back for a nested list
    nested[:] = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    opened = open_cell(nested, None)
    assert opened.dtype == float
    np.testing.assert_array_equal(opened, [[1, 2], [3, 4]])


def test_pil_images_become_what_they_show():
    palette = Image.new("RGB", (2, 2), (10, 20, 30)).quantize(2)
    np.testing.assert_array_equal(open_cell(palette, None), np.broadcast_to([10, 20, 30], (2, 2, 3)))
    assert open_cell(Image.new("1", (2, 2), 1), None).max() == 255


@pytest.fixture
def places(tmp_path):
    """A table's folder, with a secret beside it and ways out of it."""
    folder = tmp_path / "table"
    folder.mkdir()
    (tmp_path / "table-secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "table-secret")
    (folder / "dir").symlink_to(tmp_path)
    (folder / "empty").touch()
    (folder / "inside").mkdir()
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../table-secret", "points outside the table's folder"),
        ("inside/../../table-secret", "points outside the table's folder"),
        ("link", "points outside the table's folder"),
        ("dir/table-secret", "points outside the table's folder"),
        ("/etc/passwd", "points outside the table's folder"),
        ("nothing.png", "no such file: nothing.png"),
        ("inside", "is a directory"),
        ("empty", "is an empty file"),
        ("pipe", "is no regular file"),
        ("loop", "cannot be read"),
        ("x" * 5000, "cannot be read"),
        ("a\0b", "is no path"),
    ],
)
def test_paths_that_are_refused(places, path, reason):
    with pytest.raises(CellProblem, match=reason):
        open_cell(path, places)


def test_a_folder_that_is_a_link_itself_is_fine(places):
    (places / "a").write_bytes(b"x")
    (places.parent / "alias").symlink_to(places)
    assert open_cell("a", places.parent / "alias") == b"x"
    assert open_cell(str(places / "a"), places.parent / "alias") == b"x"


def test_paths_are_refused_where_there_is_no_folder():
    with pytest.raises(CellProblem, match="the rows have no folder"):
        open_cell("/etc/passwd", None)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (3.5, r"neither a path, bytes nor an array but 3.5 \(float\)"),
        ({"a": 1}, "neither a path"),
        ([[1, 2], [3]], "ragged"),
        ([1, "a"], "no array of numbers"),
        ([], "empty array"),
        (np.float64(3), "no array of numbers"),
        (b"", "no bytes"),
    ],
)
def test_cells_that_are_no_media(cell, reason):
    with pytest.raises(CellProblem, match=reason):
        open_cell(cell, None)
