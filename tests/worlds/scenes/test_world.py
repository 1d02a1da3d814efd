import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omnishot.errors import UsageError
from omnishot.worlds import make
from omnishot.worlds.scenes.layout import Scene
from omnishot.worlds.scenes.vocabulary import VOCABULARY

SMALL = {"concepts": 30, "pictures": 3}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make("scenes", tmp_path_factory.mktemp("world") / "scenes.jsonl", **SMALL)


@pytest.fixture(scope="module")
def table(world):
    return pd.read_json(world, lines=True)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_row_for_every_picture_with_its_columns(table):
    assert list(table.columns) == ["image", "caption", "concept", "split", "_kind", "_scene"]
    assert (table.concept.value_counts() == 3).all()
    assert table.concept.nunique() == 30
    assert all(len(set(texts)) == 5 for texts in table.caption)


def test_kinds_are_equally_frequent_and_every_split_has_each(table):
    tasks = table.groupby("concept").first()
    assert (table.groupby("concept").split.nunique() == 1).all()
    counts = tasks.groupby("_kind").split.value_counts().unstack()
    assert (counts == pd.Series({"train": 7, "val": 1, "test": 2})[counts.columns]).all().all()
    assert list(counts.index) == ["colour", "shape", "texture"]


def shows(row):
    """Whether a row's picture has the concept."""
    return getattr(Scene.from_json(row.scene).things[0], row.kind) == row.concept


@pytest.fixture(scope="module")
def rows(table):
    return list(table.rename(columns={"_kind": "kind", "_scene": "scene"}).itertuples())


def test_every_scene_has_its_new_thing_once_or_not_at_all_and_everything_else_is_known(rows):
    for row in rows:
        first, *others = Scene.from_json(row.scene).things
        values = [
            value for thing in (first, *others) for value in (thing.colour, thing.shape, thing.texture, thing.size)
        ]
        assert Counter(values)[row.concept] == shows(row)
        assert set(values) - {row.concept} <= VOCABULARY


def test_a_fraction_of_the_pictures_is_without_the_new_word(rows, tmp_path):
    assert 0.15 < np.mean([not shows(row) for row in rows]) < 0.45
    for without in (0, 0.9):
        made = make("scenes", tmp_path / "s.jsonl", without=without, concepts=30, pictures=4, size=24)
        captions = pd.read_json(made, lines=True)
        mentioned = np.mean([row.concept in row.caption[0] for row in captions.itertuples()])
        assert mentioned == 1 if without == 0 else mentioned < 0.3


def test_every_sentence_has_the_new_word_if_the_picture_has_it_and_known_ones_only(rows):
    for row in rows:
        for sentence in row.caption:
            words = set(sentence.replace(",", "").split())
            assert (row.concept in words) == shows(row)
            assert words - {row.concept} <= VOCABULARY, sentence


def test_pictures_are_what_they_claim(world, table):
    for cell in table.image:
        with Image.open(world.parent / cell) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (64, 64))
            assert np.asarray(image).std() > 5


def test_the_same_seed_gives_the_same_bytes_and_another_another_world(world, tmp_path):
    again = make("scenes", tmp_path / "one" / "scenes.jsonl", **SMALL)
    assert files(again.parent) == files(world.parent)
    other = make("scenes", tmp_path / "two" / "scenes.jsonl", seed=1, **SMALL)
    ours, theirs = files(world.parent), files(other.parent)
    assert ours.keys() == theirs.keys()
    assert not [name for name in ours if ours[name] == theirs[name]]


@pytest.mark.parametrize("form", ["captions", "questions"])
def test_another_process_gives_the_same_table(form, tmp_path):
    """Its sets have another order."""
    texts = []
    for hashing in "04":
        out = tmp_path / hashing / "s.csv"
        code = f"from omnishot.worlds import make; make('scenes', {str(out)!r}, form={form!r}, concepts=12, pictures=4)"
        subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONHASHSEED": hashing})
        texts.append(out.read_text())
    assert texts[0] == texts[1]


def test_more_pictures_and_sentences_change_none_of_those_before(table, tmp_path):
    more = pd.read_json(make("scenes", tmp_path / "s.jsonl", concepts=30, pictures=4, sentences=6), lines=True)
    first = more.groupby("concept", sort=False).head(3).reset_index()
    assert list(first.concept) == list(table.concept)
    assert list(first._scene) == list(table._scene)
    assert [texts[:5] for texts in first.caption] == list(table.caption)


def test_text_tables_hold_the_sentences_as_json_and_parquet_everything(table, tmp_path):
    text = pd.read_csv(make("scenes", tmp_path / "s.csv", **SMALL))
    assert [json.loads(cell) for cell in text.caption] == list(table.caption)
    inside = pd.read_parquet(make("scenes", tmp_path / "s.parquet", **SMALL))
    assert [list(texts) for texts in inside.caption] == list(table.caption)
    assert [bytes(cell) for cell in inside.image] == [(tmp_path / cell).read_bytes() for cell in text.image]


@pytest.mark.parametrize("form", ["captions", "questions", "videos"])
def test_scenes_can_be_of_fewer_things(form, tmp_path):
    if form == "videos":
        pytest.importorskip("av")
    for most in (1, 2):
        made = make("scenes", tmp_path / "s.parquet", form=form, concepts=12, pictures=6, things=most)
        counts = {len(Scene.from_json(cell).things) for cell in pd.read_parquet(made)._scene}
        assert counts == set(range(1, most + 1))


def test_pictures_can_be_larger(tmp_path):
    out = make("scenes", tmp_path / "s.jsonl", concepts=12, pictures=1, size=96)
    with Image.open(tmp_path / pd.read_json(out, lines=True).image[0]) as image:
        assert image.size == (96, 96)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("seed", -1),
        ("concepts", 11),
        ("pictures", 0),
        ("sentences", 0),
        ("sentences", 21),
        ("size", 23),
        ("questions", 0),
        ("things", 4),
        ("without", 0.95),
    ],
)
def test_numbers_out_of_range_are_refused(option, value, tmp_path):
    with pytest.raises(UsageError, match=f"{option} must be .*, not {value}"):
        make("scenes", tmp_path / "s.csv", **{option: value})
    assert not list(tmp_path.iterdir())


def test_an_unknown_form_is_refused(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'captions'"):
        make("scenes", tmp_path / "s.csv", form="caption")
