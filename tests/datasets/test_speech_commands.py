from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from omnishot.datasets import read
from omnishot.errors import DataError, UsageError

WORDS = ["bed", "cat", "down", "go", "left", "no"]
SPEAKERS = ["0a7c2a8d", "bb05582b", "f9af823e"]


def publish(folder: Path, *, end: str = "\n") -> Path:
    """Each word twice by each of three speakers: the second is for validation, the third for testing."""
    for word in WORDS:
        (folder / word).mkdir(parents=True)
        for speaker in SPEAKERS:
            for i in (0, 1):
                (folder / word / f"{speaker}_nohash_{i}.wav").write_bytes(f"{word} {speaker} {i}".encode())
    (folder / "_background_noise_").mkdir()
    (folder / "_background_noise_" / "pink_noise.wav").write_bytes(b"noise")
    (folder / "_background_noise_" / "README.md").write_text("about noise")
    (folder / "bed" / ".DS_Store").write_bytes(b"litter")
    (folder / "README.md").write_text("about")
    (folder / "LICENSE").write_text("CC BY")
    for name, speaker in (("validation_list.txt", SPEAKERS[1]), ("testing_list.txt", SPEAKERS[2])):
        names = [f"{word}/{speaker}_nohash_{i}.wav" for word in WORDS for i in (0, 1)]
        (folder / name).write_bytes((end.join(names) + end).encode())
    return folder


def imported(folder: Path, **options) -> pd.DataFrame:
    return pd.read_csv(read("speech-commands", folder / "sc", folder / "t.csv", **options), dtype=str)


def test_rows_with_their_sounds(tmp_path):
    publish(tmp_path / "sc")
    table = imported(tmp_path, split="none")
    assert list(table) == ["audio", "word", "_speaker", "_file"]
    assert len(table) == 36
    assert set(table.word) == set(WORDS)
    for row in table.itertuples():
        word, speaker, _ = (tmp_path / row.audio).read_text().split()
        assert (word, speaker) == (row.word, row._3)
        assert row._4.startswith(f"{word}/{speaker}")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_published_lists(tmp_path, end):
    publish(tmp_path / "sc", end=end)
    table = imported(tmp_path, split="published")
    assert table.groupby("_speaker").split.agg(set).to_dict() == dict(
        zip(SPEAKERS, ({"train"}, {"val"}, {"test"}), strict=True)
    )
    few = imported(tmp_path, split="published", limit=1)
    assert (few.groupby(["word", "split"]).size() == 1).all()
    assert len(few) == 18


def test_words_are_in_one_split_each(tmp_path):
    publish(tmp_path / "sc")
    (tmp_path / "sc" / "testing_list.txt").unlink()
    table = imported(tmp_path)
    assert table.groupby("split").word.nunique().to_dict() == {"train": 2, "val": 2, "test": 2}
    assert (table.groupby("word").split.nunique() == 1).all()
    assert table.equals(imported(tmp_path))
    assert len(imported(tmp_path, limit=3)) == 18
    assert any(not table.split.equals(imported(tmp_path, seed=seed).split) for seed in (1, 2, 3))


def test_a_list_that_is_missing_or_names_more(tmp_path):
    publish(tmp_path / "sc")
    path = tmp_path / "sc" / "testing_list.txt"
    path.write_text(path.read_text() + "bed/gone_nohash_0.wav\n")
    with pytest.warns(UserWarning, match=r"recordings listed but missing: 1 \(bed/gone_nohash_0\.wav first\)"):
        imported(tmp_path, split="published")
    path.write_text(path.read_text() + f"bed/{SPEAKERS[1]}_nohash_0.wav\n")
    with pytest.raises(DataError, match=r"line 14: bed/.* is in validation_list\.txt, too"):
        imported(tmp_path, split="published")
    path.unlink()
    with pytest.raises(DataError, match=r"testing_list\.txt.*use split=words"):
        imported(tmp_path, split="published")


def test_what_is_no_recording_is_named(tmp_path):
    publish(tmp_path / "sc")
    with pytest.raises(UsageError, match="limit must be at least 1, not 0"):
        imported(tmp_path, limit=0)
    (tmp_path / "sc" / "go" / "me.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"me\.wav is not called SPEAKER_nohash_N\.wav"):
        imported(tmp_path)
