from __future__ import annotations

import io

import pandas as pd
import pytest
import soundfile

from omnishot.datasets import read
from omnishot.errors import DataError, UsageError

SPEAKERS = ["ann", "bob_b", "eve", "zoe"]


def files(speakers=SPEAKERS, indices=(0, 4, 5, 10)):
    names = [f"{digit}_{speaker}_{index}.wav" for digit in (0, 7) for speaker in speakers for index in indices]
    return {name: name.encode() for name in names}


@pytest.fixture(params=[True, False], ids=["zip", "folder"])
def published(publish, request):
    return publish("recordings", files(), zipped=request.param)


def imported(directory, out, **options):
    return pd.read_csv(read("fsdd", directory, out, **options), dtype={"digit": str})


def test_rows_in_order_with_their_sounds(published, tmp_path):
    table = imported(published, tmp_path / "t.csv", split="none")
    assert list(table) == ["audio", "digit", "speaker", "_index"]
    rows = list(table[["speaker", "digit", "_index"]].itertuples(index=False, name=None))
    assert rows == [(s, d, i) for s in SPEAKERS for d in ("0", "7") for i in (0, 4, 5, 10)]
    for row in table.itertuples():
        assert (tmp_path / row.audio).read_bytes() == f"{row.digit}_{row.speaker}_{row[4]}.wav".encode()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"ann": "train", "bob_b": "train", "eve": "test", "zoe": "test"}),
        ({"test_speakers": "ann, eve"}, {"ann": "test", "bob_b": "train", "eve": "test", "zoe": "train"}),
        ({"test_speakers": ["ann"]}, {"ann": "test", "bob_b": "train", "eve": "train", "zoe": "train"}),
        ({"val_speaker": "ann"}, {"ann": "val", "bob_b": "train", "eve": "test", "zoe": "test"}),
    ],
)
def test_speakers_are_kept_whole(published, tmp_path, options, expected):
    table = imported(published, tmp_path / "t.csv", **options)
    assert table.groupby("speaker").split.agg(set).to_dict() == {s: {split} for s, split in expected.items()}


def test_the_data_sets_own_split(published, tmp_path):
    table = imported(published, tmp_path / "t.csv", split="index")
    assert table.groupby("split")["_index"].agg(set).to_dict() == {"test": {0, 4}, "train": {5, 10}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_speakers": "zo"}, "unknown speaker 'zo': did you mean 'zoe'"),
        ({"val_speaker": "anna"}, "unknown speaker 'anna': did you mean 'ann'"),
        ({"val_speaker": "zoe"}, r"zoe is a test speaker already \(eve, zoe\)"),
        ({"split": "index", "val_speaker": "ann"}, "go with split=speaker only"),
    ],
)
def test_options_that_do_not_fit(published, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        read("fsdd", published, tmp_path / "t.csv", **options)


def test_somebody_must_remain_to_train_on(publish, tmp_path):
    directory = publish("recordings", files(["ann", "bob"]), zipped=True)
    with pytest.raises(DataError, match="of the speakers ann, bob nobody remains to train on"):
        read("fsdd", directory, tmp_path / "t.csv")


def test_a_recording_called_otherwise_is_named(publish, tmp_path):
    directory = publish("recordings", files() | {"seven_ann_1.wav": b""}, zipped=False)
    with pytest.raises(DataError, match=r"seven_ann_1\.wav is not called DIGIT_SPEAKER_INDEX\.wav"):
        read("fsdd", directory, tmp_path / "t.csv")


def test_a_recording_that_occurs_twice_is_named(publish, tmp_path):
    directory = publish("recordings", files() | {"copy/0_ann_0.wav": b""}, zipped=True)
    with pytest.raises(DataError, match=r"holds 0_ann_0\.wav twice"):
        read("fsdd", directory, tmp_path / "t.csv")


def test_as_published(shared_data, tmp_path):
    table = pd.read_parquet(read("fsdd", shared_data / "fsdd", tmp_path / "t.parquet"))
    assert len(table) == 3000
    assert (table.groupby(["speaker", "digit"]).size() == 50).all()
    assert set(table.digit) == set("0123456789")
    assert set(table.speaker[table.split == "test"]) == {"theo", "yweweler"}
    assert (table.split == "train").sum() == 2000
    assert soundfile.info(io.BytesIO(table.audio[0])).samplerate == 8000
