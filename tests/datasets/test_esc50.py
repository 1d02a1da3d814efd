from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from omnishot.datasets import read
from omnishot.errors import DataError, UsageError

HEAD = "filename,fold,target,category,esc10,src_file,take"
CATEGORIES = ["dog", "rain", "door_wood_knock", "crackling_fire", "clock_tick", "sea_waves"]


def publish(folder: Path, *, end: str = "\n", head: str = HEAD, missing: tuple[str, ...] = ()) -> Path:
    """Five folds with a sound of each category, as in the repository's archive."""
    lines = [head]
    (folder / "meta").mkdir(parents=True)
    (folder / "audio").mkdir()
    (folder / "audio" / ".DS_Store").write_bytes(b"litter")
    for fold in range(1, 6):
        for target, category in enumerate(CATEGORIES):
            name = f"{fold}-1{target:05d}-A-{target}.wav"
            lines.append(f"{name},{fold},{target},{category},{target < 2},1{target:05d},A")
            if name not in missing:
                (folder / "audio" / name).write_bytes(name.encode())
    (folder / "meta" / "esc50.csv").write_bytes(end.join(lines).encode())
    return folder


@pytest.mark.parametrize("below", ["", "ESC-50-master"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_with_their_sounds(tmp_path, below, end):
    publish(tmp_path / "esc" / below, end=end)
    table = pd.read_csv(read("esc50", tmp_path / "esc", tmp_path / "t.csv", split="none"))
    assert list(table) == ["audio", "category", "_fold", "_esc10", "_source", "_file"]
    assert len(table) == 30
    assert table._esc10.sum() == 10
    for row in table.itertuples():
        assert (tmp_path / row.audio).read_bytes().decode() == row._6
        assert row.category == CATEGORIES[int(row._6[:-4].split("-")[-1])]


def test_classes_are_in_one_split_each(tmp_path):
    publish(tmp_path / "esc")
    tables = [pd.read_csv(read("esc50", tmp_path / "esc", tmp_path / "t.csv", seed=seed)) for seed in (0, 0, 1)]
    parts = [table.groupby("category").split.agg(set) for table in tables]
    assert all(len(part) == 1 for part in parts[0])
    assert {"train", "val", "test"} == set.union(*parts[0])
    assert parts[0].to_dict() == parts[1].to_dict() != parts[2].to_dict()


def test_fifty_classes_are_split_as_documented(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.CATEGORIES", [f"class {i}" for i in range(50)])
    table = pd.read_csv(read("esc50", publish(tmp_path / "esc"), tmp_path / "t.csv"))
    assert table.groupby("split").category.nunique().to_dict() == {"train": 35, "val": 5, "test": 10}


def test_the_published_folds(tmp_path):
    publish(tmp_path / "esc")
    table = pd.read_csv(read("esc50", tmp_path / "esc", tmp_path / "t.csv", split="fold", test_fold=1))
    assert table.groupby("_fold").split.agg(set).to_dict() == {
        1: {"test"}, 2: {"train"}, 3: {"train"}, 4: {"val"}, 5: {"train"}
    }  # fmt: skip
    for wrong, message in (({"test_fold": 6}, "test_fold = 6: the folds are 1, 2"), ({"test_fold": 4}, "are both 4")):
        with pytest.raises(UsageError, match=message):
            read("esc50", tmp_path / "esc", tmp_path / "t.csv", split="fold", **wrong)


def test_missing_sounds_are_reported(tmp_path):
    publish(tmp_path / "esc", missing=("1-100000-A-0.wav",))
    with pytest.warns(UserWarning, match=r"missing or empty sounds: 1 of 30 \(1-100000-A-0\.wav\).*without a sound"):
        table = pd.read_csv(read("esc50", tmp_path / "esc", tmp_path / "t.csv"))
    assert table.audio.isna().sum() == 1
    assert len(table) == 30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("category", "klass", 1), "has no column category"),
        (
            lambda text: text.replace("1-100001-A-1.wav,1,", "1-100001-A-1.wav,one,"),
            "line 3 .*does not fit filename,fold",
        ),
        (lambda text: text.replace("1-100001-A-1.wav,1,", "1-100001-A-1.wav,"), "line 3"),
        (lambda text: text.split("\n")[0], "lists no sound"),
        (lambda text: "", "has no column filename"),
    ],
)
def test_a_damaged_list_is_named(tmp_path, change, message):
    path = publish(tmp_path / "esc") / "meta" / "esc50.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=message):
        read("esc50", tmp_path / "esc", tmp_path / "t.csv")
