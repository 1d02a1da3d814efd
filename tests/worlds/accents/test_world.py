import io
import sys
import wave

import numpy as np
import pandas as pd
import pytest

from omnishot import read_table
from omnishot.errors import UsageError
from omnishot.worlds import make, speech
from omnishot.worlds.accents import world as accents
from omnishot.worlds.accents.lexicon import LANGUAGES

spoken = pytest.mark.skipif(not speech.installed(), reason="espeakng-loader is not installed")
SMALL = {"languages": "en,de,fi", "voices": 10, "words": 3}


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make("accents", tmp_path_factory.mktemp("world") / "a.csv", **SMALL)


@spoken
def test_every_voice_reads_every_word_equally_often(world):
    table = pd.read_csv(world, keep_default_na=False)
    assert list(table.columns) == ["audio", "word", "voice", "_language", "split"]
    assert len(table) == 10 * 3 * 2
    assert table.voice.nunique() == 10
    for _, rows in table.groupby("voice"):
        language = rows._language.unique().item()
        assert rows.word.value_counts().to_dict() == dict.fromkeys(LANGUAGES[language].words[:3], 2)
        assert rows.voice.iloc[0].startswith(f"{language}+")


@spoken
def test_no_voice_is_in_two_splits_and_every_language_in_all(world):
    table = pd.read_csv(world, keep_default_na=False)
    assert (table.groupby("voice").split.nunique() == 1).all()
    assert (table.groupby("_language").split.nunique() == 3).all()


@spoken
def test_sounds_are_what_they_claim_and_no_two_alike(world):
    table = pd.read_csv(world, keep_default_na=False)
    contents = set()
    for cell in table.audio:
        with wave.open(str(world.parent / cell)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
            assert 0.1 < file.getnframes() / 8000 < 1.5
            contents.add(file.readframes(-1))
    assert len(contents) == len(table)


@spoken
def test_the_same_seed_gives_the_same_bytes_and_another_another_world(world, tmp_path):
    again = make("accents", tmp_path / "again" / "a.csv", **SMALL)
    assert files(again.parent) == files(world.parent)
    other = make("accents", tmp_path / "other" / "a.csv", seed=1, **SMALL)
    ours, theirs = files(world.parent), files(other.parent)
    assert ours.keys() == theirs.keys()
    assert not [name for name in ours if ours[name] == theirs[name]]


@spoken
def test_languages_are_unseen_with_the_option(tmp_path):
    out = make("accents", tmp_path / "a.parquet", unseen="languages", voices=18, words=2, takes=1)
    table = pd.read_parquet(out)
    assert (table.groupby("_language").split.nunique() == 1).all()
    assert not set(table[table.split == "train"].word) & set(table[table.split == "test"].word)
    assert {"ένα", "bir"} <= set(table[table.split == "test"].word)
    with wave.open(io.BytesIO(table.audio[0])) as file:
        assert file.getnframes()


@spoken
def test_unseen_accents_read_english(tmp_path):
    options = {"languages": "en,de,hu,fi", "unseen": "accents", "voices": 4, "words": 3, "takes": 1}
    table = pd.read_parquet(make("accents", tmp_path / "a.parquet", **options))
    assert set(table.word) == {"one", "two", "three"}
    assert table.groupby("_language").split.first().to_dict() == {
        "en": "train",
        "de": "train",
        "hu": "val",
        "fi": "test",
    }


@spoken
def test_sentences_of_a_voice_are_all_different_and_in_its_language(tmp_path):
    out = make("accents", tmp_path / "a.parquet", form="sentences", languages="en-us,it", voices=6, utterances=20)
    table = pd.read_parquet(out)
    assert list(table.columns) == ["audio", "text", "voice", "_language", "split"]
    assert (table.groupby("voice").text.nunique() == 20).all()
    for name, texts in table.groupby("_language").text:
        own = {word for part in LANGUAGES[name[:2]].phrases for phrase in part for word in phrase.split()}
        assert set(" ".join(texts).split()) <= own


@spoken
def test_longer_sentences_sound_longer(tmp_path):
    out = make("accents", tmp_path / "a.parquet", form="sentences", languages="en", voices=3, utterances=40)
    table = pd.read_parquet(out)
    letters, bytes_ = table.text.str.len(), table.audio.map(len)
    assert min(np.corrcoef(letters[rows.index], bytes_[rows.index])[0, 1] for _, rows in table.groupby("voice")) > 0.4


@spoken
def test_a_table_of_words_is_read_as_tasks_of_voices(world):
    schema = read_table(world, target="word", group="voice").schema
    assert schema.inputs() == {"audio": ("audio", ("audio",))}
    assert schema.objective == "classify"


def test_by_default_the_voices_reach_every_split():
    for form in accents.FORMS:
        for unseen in accents.UNSEEN:
            names = accents._language_names(None, form, unseen)
            parts = pd.Series([s.split for s in accents._cast(names, unseen, accents.VOICES[form], 0)]).value_counts()
            assert parts.min() >= 6, (form, unseen, parts)
            assert parts.train >= parts.sum() / 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "word"}, "did you mean 'words'"),
        ({"unseen": "voice"}, "did you mean 'voices'"),
        ({"languages": "en,dee"}, "did you mean 'de'"),
        ({"languages": "pl", "form": "sentences"}, "unknown language 'pl'"),
        ({"languages": "en,en"}, "names one twice"),
        ({"voices": 20}, "voices must be 54 or more, 3 of each of en, de"),
        ({"languages": "en,de", "unseen": "languages"}, "every split .test: fi, tr, el, sw; val: hu, id"),
        ({"words": 41}, "words must be 2 to 40, not 41"),
        ({"takes": 0}, "takes must be 1 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"form": "sentences", "utterances": 99_999}, "utterances must be at most"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        make("accents", tmp_path / "a.csv", **options)
    assert not list(tmp_path.iterdir())


def test_without_espeak_the_message_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UsageError, match=r"pip install 'omnishot\[demo\]'"):
        make("accents", tmp_path / "a.csv")
    assert not list(tmp_path.iterdir())
