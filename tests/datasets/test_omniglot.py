from __future__ import annotations

import io

import pandas as pd
import pytest
from PIL import Image

from omnishot.datasets import read
from omnishot.errors import DataError

BACKGROUND = ["Greek", "Malay_(Jawi_-_Arabic)", "N Ko"]
EVALUATION = ["Ge_ez", "ULOG"]


def files(alphabets, png, start=0):
    """Two characters an alphabet, two drawers a character, every picture of another grey."""
    names = [
        f"{alphabet}/character{character:02d}/{start + number:04d}_{drawer:02d}.png"
        for number, (alphabet, character) in enumerate((a, c) for a in alphabets for c in (1, 2))
        for drawer in (1, 2)
    ]
    return {name: png(start + index) for index, name in enumerate(names)}


@pytest.fixture
def published(publish, png):
    publish("images_evaluation", files(EVALUATION, png, 100), zipped=True)
    return publish("images_background", files(BACKGROUND, png), zipped=False)


def test_rows_and_pictures(published, tmp_path, png):
    table = pd.read_csv(read("omniglot", published, tmp_path / "t.csv", split="none"), dtype=str)
    assert list(table) == ["image", "character", "_alphabet", "_drawer"]
    assert len(table) == 2 * 2 * 5
    expected = files(BACKGROUND, png) | files(EVALUATION, png, 100)
    stored = {row.image.removeprefix("t_files/"): (tmp_path / row.image).read_bytes() for row in table.itertuples()}
    assert stored == expected
    row = table[table.image.str.endswith("N Ko/character02/0005_01.png")].squeeze()
    assert row.to_list()[1:] == ["N Ko/character02", "N Ko", "01"]
    assert table.character.is_monotonic_increasing


def test_parquet_holds_the_pictures(published, tmp_path):
    table = pd.read_parquet(read("omniglot", published, tmp_path / "t.parquet", split="alphabet"))
    assert Image.open(io.BytesIO(table.image[0])).size == (4, 4)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["t.parquet"]


def test_alphabet_split_keeps_evaluation_for_test(published, tmp_path):
    table = pd.read_csv(read("omniglot", published, tmp_path / "t.csv", split="alphabet"))
    assert set(table._alphabet[table.split == "test"]) == set(EVALUATION)
    assert table.groupby("_alphabet").split.nunique().max() == 1
    assert table[table.split != "test"].drop_duplicates("_alphabet").split.value_counts().to_dict() == {
        "train": 2,
        "val": 1,
    }


def test_alphabet_split_follows_the_seed(published, tmp_path):
    def val(seed):
        table = pd.read_csv(read("omniglot", published, tmp_path / "t.csv", split="alphabet", seed=seed))
        return table._alphabet[table.split == "val"].iloc[0]

    assert val(3) == val("3")
    assert len({val(seed) for seed in range(12)}) == 3


def test_one_part_alone(publish, png, tmp_path):
    directory = publish("images_evaluation", files(EVALUATION, png), zipped=True)
    table = pd.read_csv(read("omniglot", directory, tmp_path / "t.csv", split="alphabet"))
    assert set(table.split) == {"test"}


def test_maml_split_needs_all_characters(published, tmp_path):
    with pytest.raises(DataError, match=r"holds 10 characters.*needs the 1623.*split=alphabet"):
        read("omniglot", published, tmp_path / "t.csv")


def test_maml_split_deals_every_character_once(publish, tmp_path):
    every = {f"A/character{n:04d}/{n:04d}_{drawer:02d}.png": b"" for n in range(1623) for drawer in (1, 2)}
    directory = publish("images_background", every, zipped=True)
    first, again, other = (
        pd.read_parquet(read("omniglot", directory, tmp_path / "t.parquet", seed=seed)) for seed in (0, 0, 1)
    )
    assert first.groupby("character").split.first().value_counts().to_dict() == {
        "train": 1100,
        "test": 423,
        "val": 100,
    }
    assert first.groupby("character").split.nunique().max() == 1
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_a_picture_called_otherwise_is_named(publish, png, tmp_path):
    directory = publish("images_background", {"Greek/character01/copy of 0001_01.png": png(0)}, zipped=False)
    with pytest.raises(DataError, match=r"Greek/character01/copy of 0001_01\.png is not called ALPHABET"):
        read("omniglot", directory, tmp_path / "t.csv")


def test_the_same_alphabet_in_both_parts_is_refused(publish, png, tmp_path):
    publish("images_background", files(["Greek", "Latin"], png), zipped=True)
    directory = publish("images_evaluation", files(["Greek"], png), zipped=True)
    with pytest.raises(DataError, match="both hold the alphabet Greek"):
        read("omniglot", directory, tmp_path / "t.csv", split="alphabet")


def test_a_truncated_zip_is_named_and_no_table_is_left(publish, png, tmp_path):
    directory = publish("images_background", files(BACKGROUND, png), zipped=True)
    archive = directory / "images_background.zip"
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"images_background\.zip is damaged"):
        read("omniglot", directory, tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()


def test_as_published(shared_data, tmp_path):
    table = pd.read_parquet(read("omniglot", shared_data / "omniglot", tmp_path / "t.parquet"))
    assert len(table) == 32_460
    assert (table.groupby("character").size() == 20).all()
    assert table.groupby("character").split.first().value_counts().to_dict() == {
        "train": 1100,
        "test": 423,
        "val": 100,
    }
    assert table._alphabet.nunique() == 50
    assert Image.open(io.BytesIO(table.image[0])).size == (28, 28)
