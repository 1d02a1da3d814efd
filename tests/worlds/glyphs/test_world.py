import io
import sys
import wave

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omnishot.errors import UsageError
from omnishot.worlds import make, speech
from omnishot.worlds.glyphs import world as glyphs
from omnishot.worlds.glyphs.alphabets import letters

spoken = pytest.mark.skipif(not speech.installed(), reason="espeakng-loader is not installed")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Three alphabets, two rows a letter, with sound where it can be had."""
    out = tmp_path_factory.mktemp("world") / "glyphs.csv"
    return make("glyphs", out, rows_per_letter=2, alphabets=3, sound=speech.installed())


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_table_has_every_letter_and_column(world):
    table = pd.read_csv(world, keep_default_na=False)
    assert len(table) == 2 * len(letters(3))
    assert set(table.letter) == {letter.label for letter in letters(3)}
    assert (table.letter.value_counts() == 2).all()
    assert set(table.columns) - {"sound"} == {"picture", "text", "letter", "_alphabet", "split"}
    assert (table.text.str.len() > 0).all()


def test_alphabets_are_disjoint_between_splits(world):
    table = pd.read_csv(world, keep_default_na=False)
    assert set(table.split) == {"train", "val", "test"}
    assert (table.groupby("_alphabet").split.nunique() == 1).all()
    assert (table.groupby("letter").split.nunique() == 1).all()


def test_pictures_and_sounds_are_what_they_claim(world):
    table = pd.read_csv(world, keep_default_na=False)
    for cell in table.picture:
        with Image.open(world.parent / cell) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "L", (28, 28))
            assert np.asarray(image).std() > 5
    for cell in table.get("sound", []):
        with wave.open(str(world.parent / cell)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
            assert 0.1 < file.getnframes() / 8000 <= 0.8


def test_the_same_seed_gives_the_same_bytes(world, tmp_path):
    again = glyphs.make(tmp_path / "glyphs.csv", rows_per_letter=2, alphabets=3, sound=speech.installed())
    assert files(again.parent) == files(world.parent)


def test_another_seed_gives_another_world(world, tmp_path):
    other = glyphs.make(tmp_path / "glyphs.csv", seed=1, rows_per_letter=2, alphabets=3, sound=speech.installed())
    ours, theirs = files(world.parent), files(other.parent)
    assert ours.keys() == theirs.keys()
    assert not [name for name in ours if ours[name] == theirs[name]]


def test_leaving_the_sound_out_changes_nothing_else(world, tmp_path):
    silent = glyphs.make(tmp_path / "glyphs.csv", rows_per_letter=2, alphabets=3, sound=False)
    with_sound, without = pd.read_csv(world), pd.read_csv(silent)
    pd.testing.assert_frame_equal(with_sound.drop(columns="sound", errors="ignore"), without)
    ours = files(world.parent)
    assert all(ours[name] == data for name, data in files(tmp_path).items() if name.endswith(".png"))


def test_parquet_and_csv_hold_the_same_cells(world, tmp_path):
    out = glyphs.make(tmp_path / "g.parquet", rows_per_letter=2, alphabets=3, sound=speech.installed())
    assert [path.name for path in tmp_path.iterdir()] == ["g.parquet"]
    embedded, beside = pd.read_parquet(out), pd.read_csv(world, keep_default_na=False)
    assert list(embedded.columns) == list(beside.columns)
    for column in embedded.columns:
        cells = beside[column]
        if column in ("picture", "sound"):
            cells = [(world.parent / cell).read_bytes() for cell in cells]
        assert list(embedded[column]) == list(cells), column


@pytest.fixture
def no_espeak(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)


def test_without_espeak_a_warning_says_what_to_install(no_espeak, tmp_path):
    with pytest.warns(UserWarning, match=r"pip install 'omnishot\[demo\]'.*pictures and text only"):
        out = glyphs.make(tmp_path / "g.parquet", rows_per_letter=1, alphabets=3)
    assert list(pd.read_parquet(out).columns) == ["picture", "text", "letter", "_alphabet", "split"]


def test_without_espeak_the_option_sound_is_refused(no_espeak, tmp_path):
    with pytest.raises(UsageError, match=r"espeakng-loader.*pip install"):
        glyphs.make(tmp_path / "g.parquet", sound=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("error")
def test_without_sound_there_is_no_warning(no_espeak, tmp_path):
    glyphs.make(tmp_path / "g.parquet", rows_per_letter=1, alphabets=3, sound=False)


@spoken
def test_by_default_names_are_spoken_where_they_can_be(tmp_path):
    table = pd.read_parquet(glyphs.make(tmp_path / "g.parquet", rows_per_letter=1, alphabets=3))
    for cell in table.sound:
        with wave.open(io.BytesIO(cell)) as file:
            assert file.getnframes()


@pytest.mark.parametrize("option", [{"seed": -1}, {"rows_per_letter": 0}, {"alphabets": 2}, {"alphabets": 99}])
def test_numbers_out_of_range_are_refused(option, tmp_path):
    with pytest.raises(UsageError, match=f"{next(iter(option))} must be .*, not {next(iter(option.values()))}"):
        make("glyphs", tmp_path / "g.csv", **option)
    assert not list(tmp_path.iterdir())
