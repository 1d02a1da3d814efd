from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from omnishot.datasets import read
from omnishot.datasets.omniglot_strokes import trajectory
from omnishot.errors import DataError

TEXT = b"START\n1.5,-2,0\n3,-4,10\nBREAK\n5,-6,200\n7,-8,210\n9,-1,220\nBREAK\n"
POINTS = [[1.5, -2, 0, 1], [3, -4, 10, 0], [5, -6, 200, 1], [7, -8, 210, 1], [9, -1, 220, 0]]


def names(characters, suffix):
    return [f"Greek/character{c:02d}/{c:04d}_{d:02d}.{suffix}" for c in characters for d in (1, 2)]


@pytest.fixture
def published(publish, png):
    """Six characters, of which both sets hold the third and fourth."""
    for part, characters in (("small1", range(1, 5)), ("small2", range(3, 7))):
        pictures = {name: png(int(name[-6:-4]) + int(name[-11:-7])) for name in names(characters, "png")}
        publish(f"images_background_{part}", pictures, zipped=part == "small1")
        directory = publish(
            f"strokes_background_{part}",
            dict.fromkeys(names(characters, "txt"), TEXT),
            zipped=part == "small2",
        )
    return directory


@pytest.mark.parametrize(
    "text", [TEXT, TEXT.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + TEXT, TEXT + b"\r\n\n", TEXT.rstrip()]
)
def test_trajectory_whatever_the_line_ends(text):
    points = trajectory(text, "f")
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, np.array(POINTS, dtype=np.float32))


point = st.tuples(*[st.floats(-200, 200, width=32)] * 2, st.integers(0, 2**24))


@given(st.lists(st.lists(point, min_size=1, max_size=5), min_size=1, max_size=4))
def test_trajectory_keeps_every_point_and_stroke(strokes):
    body = "BREAK\n".join("".join(f"{x},{y},{t}\n" for x, y, t in stroke) for stroke in strokes)
    points = trajectory(f"START\n{body}BREAK\n".encode(), "f")
    np.testing.assert_array_equal(points[:, :3], np.float32([point for stroke in strokes for point in stroke]))
    ends = np.cumsum([len(stroke) for stroke in strokes]) - 1
    np.testing.assert_array_equal(np.flatnonzero(points[:, 3] == 0), ends)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "the first line is not START"),
        (TEXT[6:], "the first line is not START"),
        (TEXT[:-12], r"cut off, for line 7, the last, is '9,-' and not BREAK"),
        (b"START\nBREAK\n", "holds no point"),
        (b"START\n1,2,3\n1;2;3\nBREAK\n", r"f, line 3 is damaged: '1;2;3' is neither"),
        (b"START\n1,2\nBREAK\n", r"line 2 is damaged: '1,2' is neither"),
        (b"START\n1,nan,3\nBREAK\n", r"line 2 is damaged: '1,nan,3' holds a number that is not finite"),
        (b"START\n\x00\xff\nBREAK\n", "line 2 is damaged"),
    ],
)
def test_a_damaged_trajectory_says_where(text, reason):
    with pytest.raises(DataError, match=reason):
        trajectory(text, "f")


def test_every_drawing_once_with_both_its_cells(published, tmp_path, png):
    table = pd.read_csv(read("omniglot-strokes", published, tmp_path / "t.csv"), dtype=str)
    assert list(table) == ["image", "strokes", "character", "_alphabet", "_drawer", "split"]
    assert (table.character + table._drawer).is_unique
    assert table.character.value_counts().to_dict() == {f"Greek/character{c:02d}": 2 for c in range(1, 7)}
    assert (tmp_path / table.image[3]).read_bytes() == png(2 + 2)
    np.testing.assert_array_equal(np.load(tmp_path / table.strokes[3], allow_pickle=False), np.float32(POINTS))
    splits = table.groupby("character").split.agg(["first", "nunique"])
    assert splits["first"].value_counts().to_dict() == {"train": 3, "test": 2, "val": 1}
    assert splits["nunique"].max() == 1


def test_seed_decides_the_split(published, tmp_path):
    def split(seed):
        return tuple(pd.read_csv(read("omniglot-strokes", published, tmp_path / "t.csv", seed=seed)).split)

    assert split(0) == split(0)
    assert len({split(seed) for seed in range(8)}) > 3


def test_a_drawing_without_strokes_lacks_that_cell(published, tmp_path):
    (published / "strokes_background_small1" / names([1], "txt")[1]).unlink()
    table = pd.read_csv(read("omniglot-strokes", published, tmp_path / "t.csv", split="none"))
    assert table.strokes.isna().tolist() == [False, True] + [False] * 10
    assert table.image.notna().all()


def test_two_different_drawings_of_one_name_are_refused(published, tmp_path):
    (published / "images_background_small2" / names([3], "png")[0]).write_bytes(b"other")
    with pytest.raises(DataError, match=r"Greek/character03/0003_01\.png differs between images_background_small1"):
        read("omniglot-strokes", published, tmp_path / "t.csv")


def test_strokes_are_required(publish, png, tmp_path):
    directory = publish("images_background_small1", {name: png(0) for name in names([1], "png")}, zipped=True)
    with pytest.raises(DataError, match=r"looked for strokes_background_small1/ or strokes_background_small1\.zip"):
        read("omniglot-strokes", directory, tmp_path / "t.csv")


def test_too_few_characters_to_split(publish, png, tmp_path):
    publish("images_background_small1", {name: png(0) for name in names([1, 2], "png")}, zipped=True)
    directory = publish("strokes_background_small1", dict.fromkeys(names([1, 2], "txt"), TEXT), zipped=True)
    with pytest.raises(DataError, match=r"holds 2 characters, too few .*split=none"):
        read("omniglot-strokes", directory, tmp_path / "t.csv")


def test_a_damaged_trajectory_names_the_drawing(published, tmp_path):
    (published / "strokes_background_small1" / names([1], "txt")[0]).write_bytes(TEXT[:20])
    with pytest.raises(DataError, match="strokes of Greek/character01/0001_01 is damaged: cut off"):
        read("omniglot-strokes", published, tmp_path / "t.csv")


def test_as_published(shared_data, tmp_path):
    table = pd.read_parquet(read("omniglot-strokes", shared_data / "omniglot", tmp_path / "t.parquet"))
    assert len(table) == 242 * 20
    assert (table.groupby("character").size() == 20).all()
    assert table.groupby("character").split.first().value_counts().to_dict() == {
        "train": 146,
        "test": 60,
        "val": 36,
    }
    assert table.notna().all(axis=None)
    # Picture and strokes are of the same drawing: the pen's points lie on ink, which covers 8% of the paper.
    for row in table.iloc[::97].itertuples():
        ink = np.asarray(Image.open(io.BytesIO(row.image))) == 0
        assert ink.shape == (105, 105)
        x, y, _, pen = np.load(io.BytesIO(row.strokes), allow_pickle=False).T
        column, line = (np.clip(np.round(v - 0.5), 0, 104).astype(int) for v in (x, -y))
        assert ink[line, column].mean() > 0.9
        assert pen[-1] == 0
