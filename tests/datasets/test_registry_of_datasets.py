from __future__ import annotations

import subprocess
import sys

import pytest

from omnishot.datasets import DATASETS, read
from omnishot.errors import DataError, UsageError

NAMES = DATASETS.names()


def test_every_data_set_describes_itself():
    entries = DATASETS.describe()
    assert [entry["name"] for entry in entries] == NAMES
    for entry in entries:
        assert entry["summary"].endswith(".")
        assert entry["paper"]
        assert "split" in entry["options"]


def test_listing_loads_neither_torch_nor_pandas():
    code = "import sys, omnishot.datasets as d; d.DATASETS; print({'torch', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_unknown_data_set_names_the_nearest(tmp_path):
    with pytest.raises(UsageError, match=r"unknown dataset 'omniglott': did you mean 'omniglot'"):
        read("omniglott", tmp_path, tmp_path / "t.csv")


def test_unknown_option_names_the_nearest(tmp_path):
    with pytest.raises(UsageError, match=r"dataset 'fsdd' has no option 'val_speker': did you mean 'val_speaker'"):
        read("fsdd", tmp_path, tmp_path / "t.csv", val_speker="theo")


@pytest.mark.parametrize("value", ["many", "1.5", 1.5, -1, "-1", [3]])
def test_a_number_that_is_none_is_refused(tmp_path, value):
    with pytest.raises(UsageError, match="limit"):
        read("mnist", tmp_path, tmp_path / "t.csv", limit=value)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_split_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="unknown split 'spilt'"):
        read(name, tmp_path, tmp_path / "t.csv", split="spilt")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_the_files_says_what_was_looked_for(tmp_path, name, exists):
    directory = tmp_path / "elsewhere"
    if exists:
        directory.mkdir()
    sought = {
        "omniglot": "images_background.zip, images_evaluation/ or images_evaluation.zip",
        "omniglot-strokes": "images_background_small1/ or images_background_small1.zip",
        "esc50": "esc50.csv",
        "speech-commands": "validation_list.txt",
        "ucihar": "activity_labels.txt",
        "image-folder": "a folder for each class",
        "audio-folder": "a folder for each class",
        "fsdd": "recordings/ or recordings.zip",
        "avmnist": "four idx files",
        "flickr8k": "Flickr8k.token.txt",
        "flickr30k": "results_20130124.token",
        "coco": "captions_train2014.json",
        "vqa": "v2_OpenEnded_mscoco_train2014_questions.json",
        "sick": "SICK_test_annotated.txt",
        "cub": "images.txt",
        "mnist": "train-images-idx3-ubyte.gz" if exists else "four idx files",
    }[name]
    with pytest.raises(DataError) as caught:
        read(name, directory, tmp_path / "t.csv")
    assert sought in str(caught.value)
    assert str(directory) in str(caught.value)
    assert not (tmp_path / "t.csv").exists()


def test_options_have_their_defaults():
    assert DATASETS.options("mnist") == {"split": "published", "val": 5000, "limit": None}
