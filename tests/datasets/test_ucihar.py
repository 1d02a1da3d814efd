from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omnishot.cli.main import main
from omnishot.datasets import read
from omnishot.datasets.ucihar import SIGNALS
from omnishot.errors import DataError, UsageError

ACTIVITIES = ["WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING"]
SUBJECTS = {"train": (1, 3, 5, 6, 7), "test": (2, 4)}


def publish(folder: Path, *, end: str = "\n", below: str = "UCI HAR Dataset") -> Path:
    """Every subject does every activity once; numbers are written as published, in sixteen columns each."""
    rng = np.random.default_rng(0)
    root = folder / below
    for part, subjects in SUBJECTS.items():
        signals = root / part / "Inertial Signals"
        signals.mkdir(parents=True)
        who = np.repeat(subjects, 6)
        for signal in SIGNALS:
            values = rng.normal(size=(len(who), 128))
            lines = ["".join(f"{value: 16.7e}" for value in row) for row in values]
            (signals / f"{signal}_{part}.txt").write_bytes((end.join(lines) + end).encode())
        (root / part / f"subject_{part}.txt").write_bytes((end.join(map(str, who)) + end).encode())
        codes = np.tile(range(1, 7), len(subjects))
        (root / part / f"y_{part}.txt").write_bytes((end.join(map(str, codes)) + end).encode())
        (root / part / f"X_{part}.txt").write_text("features\n")
    names = [f"{i} {name}" for i, name in enumerate(ACTIVITIES, start=1)]
    (root / "activity_labels.txt").write_bytes((end.join(names) + end).encode())
    (root / "README.txt").write_text("about")
    return folder


@pytest.mark.parametrize(("below", "end"), [("UCI HAR Dataset", "\n"), ("", "\r\n")])
def test_windows_of_nine_channels(tmp_path, below, end):
    publish(tmp_path / "har", below=below, end=end)
    table = pd.read_csv(read("ucihar", tmp_path / "har", tmp_path / "t.csv", split="none"))
    assert list(table) == ["series", "activity", "subject", "_window"]
    assert len(table) == 42
    assert table.activity[:6].tolist() == ACTIVITIES
    assert table.subject[::6].tolist() == [*SUBJECTS["train"], *SUBJECTS["test"]]
    window = np.load(tmp_path / table.series[8])
    assert window.shape == (128, 9)
    for channel, signal in enumerate(SIGNALS):
        published = np.loadtxt(tmp_path / "har" / below / "train" / "Inertial Signals" / f"{signal}_train.txt")
        np.testing.assert_allclose(window[:, channel], published[8], rtol=1e-6)


def test_subjects_are_kept_whole(tmp_path):
    publish(tmp_path / "har")
    for val, kept in ((2, {6, 7}), (0, set()), (4, {3, 5, 6, 7})):
        table = pd.read_csv(read("ucihar", tmp_path / "har", tmp_path / "t.csv", val=val))
        assert set(table.subject[table.split == "val"]) == kept
        assert set(table.subject[table.split == "test"]) == {2, 4}
        assert set(table.subject[table.split == "train"]) == {1, 3, 5, 6, 7} - kept
    with pytest.raises(UsageError, match="val = 5: give how many of the 5 subjects"):
        read("ucihar", tmp_path / "har", tmp_path / "t.csv", val=5)


def test_a_zip_and_a_single_file(tmp_path, capsys):
    publish(tmp_path / "har")
    expected = pd.read_csv(read("ucihar", tmp_path / "har", tmp_path / "t.csv"))
    (tmp_path / "zipped").mkdir()
    shutil.make_archive(str(tmp_path / "zipped" / "UCI HAR Dataset"), "zip", tmp_path / "har")
    table = pd.read_parquet(read("ucihar", tmp_path / "zipped", tmp_path / "t.parquet"))
    pd.testing.assert_frame_equal(table.drop(columns="series"), expected.drop(columns="series"))
    assert main(["check", str(tmp_path / "t.parquet"), "--target", "activity", "--group", "subject"]) == 0
    assert "series" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("train/Inertial Signals/body_gyro_z_train.txt", lambda text: text.split("\n", 1)[1], "29 windows, but 30"),
        (
            "train/Inertial Signals/body_acc_x_train.txt",
            lambda text: text.replace("e", "x", 1),
            "body_acc_x_train.txt is",
        ),
        (
            "test/Inertial Signals/total_acc_x_test.txt",
            lambda text: text[:-17] + "\n",
            "line 12 is.*not 128 numbers a line",
        ),
        ("train/y_train.txt", lambda text: text.replace("6", "7"), "has the code 7, which activity_labels.txt"),
        ("test/subject_test.txt", lambda text: text.replace("2", "3"), "subject 3 is in train and in test"),
        ("test/y_test.txt", lambda text: "", "y_test.txt is damaged"),
        ("activity_labels.txt", lambda text: text.replace("1 WALKING", "WALKING"), "fewer than 2 fields"),
        ("activity_labels.txt", lambda text: text.replace("1 WALKING", "one WALKING"), "is no number and name"),
    ],
)
def test_damage_is_named(tmp_path, file, change, message):
    path = publish(tmp_path / "har") / "UCI HAR Dataset" / file
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=message):
        read("ucihar", tmp_path / "har", tmp_path / "t.csv")


def test_a_missing_file_is_named(tmp_path):
    publish(tmp_path / "har")
    (tmp_path / "har" / "UCI HAR Dataset" / "test" / "Inertial Signals" / "body_acc_y_test.txt").unlink()
    with pytest.raises(DataError, match=r"looked for body_acc_y_test\.txt"):
        read("ucihar", tmp_path / "har", tmp_path / "t.csv")
