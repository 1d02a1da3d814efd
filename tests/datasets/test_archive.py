from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.datasets.archive import contents, locate
from omnishot.errors import DataError

FILES = {"b c/(x)/é.wav": b"one", "a/1.WAV": b"two", "a/notes.txt": b"no", "0.wav": b"three"}
WAVS = {PurePosixPath(name): data for name, data in FILES.items() if name.lower().endswith(".wav")}


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_folder_and_zip_give_the_same_sorted_files_without_litter(publish):
    as_folder = publish("loose", FILES, zipped=False) / "loose"
    as_zip = publish("tight", FILES, zipped=True) / "tight.zip"
    loose = list(contents(as_folder, ".wav"))
    tight = [(name.relative_to("tight"), data) for name, data in contents(as_zip, ".wav")]
    assert loose == tight == sorted(WAVS.items())


def test_the_folder_is_preferred_to_the_zip(publish):
    publish("part", FILES, zipped=True)
    directory = publish("part", FILES, zipped=False)
    assert locate(directory, ["part", "none"]) == {"part": directory / "part"}


def test_backslashes_separate_folders(tmp_path):
    (tmp_path / "w.zip").write_bytes(packed({"part\\a\\1.wav": b"x"}))
    assert list(contents(tmp_path / "w.zip", ".wav")) == [(PurePosixPath("part/a/1.wav"), b"x")]


def test_names_that_climb_out_are_passed_over(tmp_path):
    (tmp_path / "w.zip").write_bytes(packed({"../1.wav": b"x", "a/../../2.wav": b"x", "3.wav": b"y"}))
    assert list(contents(tmp_path / "w.zip", ".wav")) == [(PurePosixPath("3.wav"), b"y")]


@pytest.mark.parametrize("zipped", [True, False])
def test_no_file_of_the_suffix_is_an_error(publish, zipped):
    directory = publish("part", {"a.txt": b"x"}, zipped=zipped)
    with pytest.raises(DataError, match=r"part(\.zip)? holds no \.wav file"):
        list(contents(locate(directory, ["part"])["part"], ".wav"))


WHOLE = packed({"a/1.wav": b"one" * 50, "a/2.wav": bytes(range(200))})


@given(st.integers(0, len(WHOLE) - 1))
def test_a_zip_cut_off_anywhere_is_damaged(tmp_path_factory, length):
    path: Path = tmp_path_factory.getbasetemp() / "cut.zip"
    path.write_bytes(WHOLE[:length])
    with pytest.raises(DataError, match=r"cut\.zip is damaged: "):
        list(contents(path, ".wav"))


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_flipped_byte_gives_a_clear_error_or_the_right_bytes(tmp_path_factory, place, flip):
    path: Path = tmp_path_factory.getbasetemp() / "flipped.zip"
    path.write_bytes(WHOLE[:place] + bytes([WHOLE[place] ^ flip]) + WHOLE[place + 1 :])
    read, message = set(), ""
    try:
        read = {data for _, data in contents(path, ".wav")}
    except DataError as error:
        message = str(error)
    assert bool(read) != ("flipped.zip" in message)
    assert read <= {b"one" * 50, bytes(range(200))}
