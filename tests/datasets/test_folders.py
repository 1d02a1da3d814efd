"""The readers image-folder and audio-folder."""

from __future__ import annotations

import io
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from omnishot.cli.main import main
from omnishot.datasets import read
from omnishot.errors import DataError


def fill(folder: Path, png, names: list[str]) -> Path:
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(i))
    return folder


CLASSES = [
    "blue tit/1.png",
    "blue tit/2.JPG",
    "crane/young/3.png",
    "crane/4.jpeg",
    "Käfer/5.png",
    "日本/6.png",
    "emu/7.png",
]


def test_a_folder_is_a_class(tmp_path, png):
    folder = fill(tmp_path / "photos", png, CLASSES)
    for litter in (".hidden/x.png", "crane/.DS_Store", "crane/Thumbs.db", "crane/._4.jpeg", "__MACOSX/crane/4.png"):
        fill(folder, png, [litter])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = pd.read_csv(read("image-folder", folder, tmp_path / "t.csv"))
    assert list(table) == ["image", "label", "_file"]
    assert sorted(table._file) == sorted(CLASSES)
    assert table.label.tolist() == [name.split("/")[0] for name in table._file]
    for row in table.itertuples():
        assert (tmp_path / row.image).read_bytes() == (folder / row._3).read_bytes()


NAMED = {"train": "train", "Training": "train", "val": "val", "validation": "val", "test": "test", "testing": "test"}


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "validation", "testing"), ("train", "test")])
def test_folders_of_parts(tmp_path, png, names):
    files = [f"{part}/{part[:2]}{label}/{i}.png" for part in names for label in "ab" for i in range(2)]
    folder = fill(tmp_path / "photos", png, files)
    table = pd.read_csv(read("image-folder", folder, tmp_path / "t.csv"))
    assert table.split.tolist() == [NAMED[file.split("/")[0]] for file in table._file]
    assert set(table.label) == {f"{part[:2]}{label}" for part in names for label in "ab"}
    assert len(set(table.image)) == len(files)
    assert "split" not in pd.read_csv(read("image-folder", folder, tmp_path / "t.csv", split="none"))


def test_parts_that_share_classes_are_reported(tmp_path, png):
    files = [f"{part}/{label}/1.png" for part in ("train", "val", "test") for label in "abc"]
    folder = fill(tmp_path / "photos", png, [*files, "test/d/1.png"])
    with pytest.warns(
        UserWarning, match="3 of 4 classes are in more than one part .a first.*split=none or split=classes"
    ):
        table = pd.read_csv(read("image-folder", folder, tmp_path / "t.csv"))
    assert len(table) == 10
    assert len(set(table.image)) == 10


def test_a_class_may_be_called_train(tmp_path, png):
    folder = fill(tmp_path / "vehicles", png, ["train/1.png", "car/2.png", "test/old/3.png"])
    table = pd.read_csv(read("image-folder", folder, tmp_path / "t.csv"))
    assert set(table.label) == {"train", "car", "test"}
    assert "split" not in table


def test_classes_are_in_one_split_each(tmp_path, png):
    folder = fill(tmp_path / "photos", png, [f"{label}/{i}.png" for label in "abcdefghij" for i in range(2)])
    table = pd.read_csv(read("image-folder", folder, tmp_path / "t.csv", split="classes"))
    assert table.groupby("split").label.nunique().to_dict() == {"train": 6, "val": 2, "test": 2}
    assert (table.groupby("label").split.nunique() == 1).all()
    two = fill(tmp_path / "two", png, ["a/1.png", "b/1.png"])
    with pytest.raises(DataError, match=r"holds 2 classes \(a, b\): 6 are needed.*use split=none"):
        read("image-folder", two, tmp_path / "t.csv", split="classes")


def test_what_is_left_out_is_reported(tmp_path, png):
    folder = fill(tmp_path / "photos", png, ["a/1.png", "b/2.png", "loose.png"])
    (folder / "a" / "notes.txt").write_text("about")
    (folder / "empty class").mkdir()
    with pytest.warns(UserWarning, match="first") as caught:
        read("image-folder", folder, tmp_path / "t.csv")
    messages = sorted(str(warning.message).split(": ", 1)[1] for warning in caught)
    assert messages == [
        "1 class folders without image files (empty class first)",
        "2 files left out, which are no image of a class (loose.png first)",
    ]


def test_broken_files_are_kept_for_the_check(tmp_path, png, capsys):
    folder = fill(tmp_path / "photos", png, [f"{label}/{i}.png" for label in "ab" for i in range(4)])
    (folder / "a" / "1.png").write_bytes(png(1)[:40])
    (folder / "b" / "2.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="1 empty files, kept for `omnishot check` to name"):
        read("image-folder", folder, tmp_path / "t.csv")
    assert len(pd.read_csv(tmp_path / "t.csv")) == 8
    assert main(["check", str(tmp_path / "t.csv")]) == 1
    out = capsys.readouterr().out
    assert "damaged" in out or "truncated" in out
    assert "is an empty file" in out


def test_one_spelling_of_an_accent_is_one_class(tmp_path, png):
    both = [unicodedata.normalize(form, "Käfer") for form in ("NFC", "NFD")]
    folder = fill(tmp_path / "photos", png, [f"train/{both[0]}/1.png", f"test/{both[1]}/1.png", "train/b/1.png"])
    with pytest.warns(UserWarning, match="1 of 2 classes"):
        table = pd.read_csv(read("image-folder", folder, tmp_path / "t.csv"))
    assert set(table.label) == {both[0], "b"}


def test_a_table_among_the_classes_does_not_become_one(tmp_path, png):
    folder = fill(tmp_path / "photos", png, ["a/1.png", "b/2.png"])
    first, again = (pd.read_csv(read("image-folder", folder, folder / "birds.csv")) for _ in range(2))
    assert first.equals(again)


def test_sounds(tmp_path, png, capsys):
    for name, kind in (("bell/1.wav", "WAV"), ("bell/2.flac", "FLAC"), ("horn/3.ogg", "OGG"), ("horn/4.mp3", "MP3")):
        buffer = io.BytesIO()
        soundfile.write(buffer, np.zeros(800), 8000, format=kind)
        (tmp_path / "sounds" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sounds" / name).write_bytes(buffer.getvalue())
    fill(tmp_path / "sounds", png, ["horn/cover.png"])
    with pytest.warns(UserWarning, match=r"1 files left out.*horn/cover\.png"):
        table = pd.read_csv(read("audio-folder", tmp_path / "sounds", tmp_path / "t.csv"))
    assert table.label.tolist() == ["bell", "bell", "horn", "horn"]
    assert table.columns[0] == "audio"
    main(["check", str(tmp_path / "t.csv")])
    assert "0 bad cells" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "column"), [("image-folder", "image"), ("audio-folder", "audio")])
def test_no_class_at_all(tmp_path, png, name, column):
    fill(tmp_path / "flat", png, ["1.png", "2.png"])
    (tmp_path / "flat" / "a").mkdir()
    with pytest.raises(DataError, match=f"holds no {column} files; looked for a folder for each class with ."):
        read(name, tmp_path / "flat", tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()
