from __future__ import annotations

import json

import pytest

from omnishot.datasets import read
from omnishot.errors import DataError, UsageError


def annotations(pictures, ids=None):
    """A published file of captions: pictures by number, with their captions, in an order of its own."""
    images = [
        {"license": 5, "file_name": name, "coco_url": "x", "height": 4, "width": 4, "date_captured": "2013", "id": i}
        for i, (name, _) in pictures.items()
    ]
    sentences = [(number, caption) for number, (_, captions) in pictures.items() for caption in captions]
    notes = [
        {"image_id": number, "id": ids[i] if ids else 40 + i, "caption": caption}
        for i, (number, caption) in reversed(list(enumerate(sentences)))
    ]
    return json.dumps({"info": {"year": 2014}, "images": images, "licenses": [], "annotations": notes})


TRAIN = {
    9: ("COCO_train2014_000000000009.jpg", ['Closeup of bins of food, "fresh".', "  ", "A meal\nis there. "]),
    25: ("COCO_train2014_000000000025.jpg", ["A giraffe."]),
    30: ("COCO_train2014_000000000030.jpg", []),
}
VAL = {42: ("COCO_val2014_000000000042.jpg", ["Eine Katze, müde."])}
CAPTIONS = {
    "COCO_train2014_000000000009.jpg": ["A meal\nis there.", 'Closeup of bins of food, "fresh".'],
    "COCO_train2014_000000000025.jpg": ["A giraffe."],
    "COCO_train2014_000000000030.jpg": None,
    "COCO_val2014_000000000042.jpg": ["Eine Katze, müde."],
}
KARPATHY = {
    "dataset": "coco",
    "images": [
        {
            "filepath": "val2014" if "val" in name else "train2014",
            "filename": name,
            "imgid": i,
            "cocoid": int(name[-6:-4]),
            "split": split,
            "sentences": [
                {"tokens": ["a"], "raw": caption, "imgid": i, "sentid": 1} for caption in CAPTIONS[name] or []
            ],
        }
        for i, (name, split) in enumerate(zip(CAPTIONS, ["train", "restval", "val", "test"], strict=True))
    ],
}


@pytest.fixture
def photographs(png):
    return {name: png(i) for i, name in enumerate(CAPTIONS)}


@pytest.fixture
def published(lay, photographs):
    return lay(
        {
            "annotations/captions_train2014.json": annotations(TRAIN),
            "annotations/captions_val2014.json": annotations(VAL),
            "annotations/instances_train2014.json": "not read",
        }
        | {f"{name.split('_')[1]}/{name}": data for name, data in photographs.items()}
    )


def test_one_row_a_photograph(published, imported, photographs, tmp_path):
    rows = imported("coco", published)
    assert list(rows[0]) == ["image", "caption", "_file", "split"]
    assert {row["_file"]: row["caption"] for row in rows} == CAPTIONS
    assert [row["split"] for row in rows] == ["train", "train", "train", "val"]
    assert {row["_file"]: (tmp_path / row["image"]).read_bytes() for row in rows} == photographs


def test_without_the_split(published, imported):
    assert "split" not in imported("coco", published, split="none")[0]


def test_the_last_train_photographs_may_become_val(published, imported):
    assert [row["split"] for row in imported("coco", published, val=1)] == ["train", "train", "val", "test"]
    assert [row["split"] for row in imported("coco", published, val=2, limit=1)] == ["train", "val", "test"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": 3}, "less than the 3 train pictures, got 3"),
        ({"val": -1}, "at least 0"),
        ({"val": 1, "split": "none"}, "val goes with split=published only"),
        ({"year": 2015}, "unknown year '2015'"),
        ({"limit": 0}, "limit must be at least 1"),
    ],
)
def test_options_that_do_not_fit(published, imported, options, message):
    with pytest.raises(UsageError, match=message):
        imported("coco", published, **options)


def test_an_annotation_that_occurs_twice_counts_once(lay, published, imported):
    twice = {9: (TRAIN[9][0], ["same", "same", "same"])}
    lay({"annotations/captions_train2014.json": annotations(twice, ids=[7, 7, 8])})
    assert imported("coco", published)[0]["caption"] == ["same", "same"]


def test_the_year_2017(lay, published, imported, png):
    lay({
        "annotations/captions_train2017.json": annotations({9: ("000000000009.jpg", ["Food."])}),
        "annotations/captions_val2017.json": annotations({25: ("000000000025.jpg", ["A giraffe."])}),
        "train2017/000000000009.jpg": png(1),
        "val2017/000000000025.jpg": png(2),
    })  # fmt: skip
    rows = imported("coco", published, year=2017)
    expected = [("000000000009.jpg", "train"), ("000000000025.jpg", "val")]
    assert [(row["_file"], row["split"]) for row in rows] == expected
    assert all(row["image"] for row in rows)
    assert len(imported("coco", published)) == 4  # 2014 where it is there
    for name in ("captions_train2014.json", "captions_val2014.json"):
        (published / "annotations" / name).unlink()
    assert imported("coco", published) == rows


def test_photographs_of_2017_serve_captions_of_2014(lay, imported, png, tmp_path):
    directory = lay({
        "annotations/captions_train2014.json": annotations(TRAIN),
        "train2017/000000000009.jpg": png(9),
        "val2017/000000000025.jpg": png(25),
        "val2017/000000000030.jpg": png(30),
    })  # fmt: skip
    rows = imported("coco", directory)
    assert [(tmp_path / row["image"]).read_bytes() for row in rows] == [png(9), png(25), png(30)]


def test_photographs_of_2014_serve_captions_of_2017(lay, imported, published, photographs, tmp_path):
    pictures = {9: ("000000000009.jpg", ["Food."]), 42: ("000000000042.jpg", ["Eine Katze."])}
    lay({"annotations/captions_train2017.json": annotations(pictures)})
    rows = imported("coco", published, year=2017)
    expected = [photographs["COCO_train2014_000000000009.jpg"], photographs["COCO_val2014_000000000042.jpg"]]
    assert [(tmp_path / row["image"]).read_bytes() for row in rows] == expected


@pytest.mark.parametrize("packing", ["folder", "zip"])
def test_karpathys_split_with_his_restval_in_train(lay, published, imported, pack, packing):
    content = json.dumps(KARPATHY).encode()
    zipped = pack({"dataset_flickr8k.json": b"", "dataset_coco.json": content})
    lay({"dataset_coco.json": content} if packing == "folder" else {"caption_datasets.zip": zipped})
    rows = imported("coco", published, split="karpathy")
    assert {row["_file"]: row["caption"] for row in rows} == CAPTIONS
    assert [row["split"] for row in rows] == ["train", "train", "val", "test"]
    assert all(row["image"] for row in rows)


def test_karpathys_file_alone_names_the_remedy(lay, tmp_path):
    directory = lay({"dataset_coco.json": json.dumps(KARPATHY)})
    with pytest.raises(DataError, match=r"looked for captions_train2014\.json.*use split=karpathy"):
        read("coco", directory, tmp_path / "t.csv")


def test_a_missing_photograph_keeps_its_row(published, imported):
    (published / "train2014" / "COCO_train2014_000000000009.jpg").unlink()
    with pytest.warns(UserWarning, match=r"empty pictures: 1 of 4 \(COCO_train2014_000000000009\.jpg\)"):
        rows = imported("coco", published)
    assert rows[0]["image"] is None
    assert rows[0]["caption"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is damaged"),
        ("[]", "has another layout"),
        ('{"images": [{"id": 1}]}', "it lacks 'file_name'"),
        ('{"images": [], "annotations": [{"id": 3, "image_id": 7, "caption": "x"}]}', "caption 3 is of no picture: 7"),
        (
            '{"images": [{"id": 7, "file_name": "a"}], "annotations": [{"id": 3, "image_id": 7, "caption": 1}]}',
            "another layout",
        ),
        ('{"images": [], "annotations": []}', "name no picture"),
    ],
)
def test_damage_is_named(lay, tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read("coco", lay({"annotations/captions_val2014.json": content}), tmp_path / "t.csv")
