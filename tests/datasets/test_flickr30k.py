from __future__ import annotations

import json

import pytest

from omnishot.datasets import read
from omnishot.errors import DataError

NAMES = ["1000092795.jpg", "2199200615.jpg", "odd name, it is.jpg"]
CAPTIONS = {
    NAMES[0]: ['Two young guys, "shaggy" hair .', "Two young , White males | are outside ."],
    NAMES[1]: ["A dog .", "A dog runs across the grass ."],
    NAMES[2]: None,
}
TOKENS = "\r\n".join(
    f"{name}#{i}\t{caption}" for name, all in CAPTIONS.items() for i, caption in enumerate(all or [""])
)
# The mirror as it is: blanks after the bars, and one line that lacks the second bar.
RESULTS = """image_name| comment_number| comment
1000092795.jpg| 0| Two young guys, "shaggy" hair .
1000092795.jpg| 1| Two young , White males | are outside .
1000092795.jpg| 1| Two young , White males | are outside .
2199200615.jpg| 3| A dog .
2199200615.jpg| 4   A dog runs across the grass .
odd name, it is.jpg| 0|
"""
SPLITS = ["train", "val", "test"]
KARPATHY = {
    "dataset": "flickr30k",
    "images": [
        {
            "sentids": [0, 1],
            "imgid": i,
            "filename": name,
            "split": split,
            "sentences": [{"tokens": ["x"], "raw": caption, "imgid": i, "sentid": 0} for caption in all or [" "]],
        }
        for i, ((name, all), split) in enumerate(zip(CAPTIONS.items(), SPLITS, strict=True))
    ],
}
SOURCES = {
    "results_20130124.token": TOKENS,
    "results.csv": RESULTS,
    "dataset_flickr30k.json": json.dumps(KARPATHY),
}


@pytest.fixture
def photographs(png):
    return {f"flickr30k-images/{name}": png(10 * i) for i, name in enumerate(NAMES)}


@pytest.mark.parametrize("source", SOURCES)
def test_three_sources_give_the_same_captions(lay, imported, photographs, source):
    rows = imported("flickr30k", lay({source: SOURCES[source]} | photographs), split="none")
    assert list(rows[0]) == ["image", "caption", "_file"]
    assert {row["_file"]: row["caption"] for row in rows} == CAPTIONS
    assert all(row["image"] for row in rows)


def test_the_mirror_nests_folders_of_one_name(lay, imported, png):
    files = {f"flickr30k_images/flickr30k_images/{name}": png(1) for name in NAMES}
    marked = "\ufeff" + RESULTS.replace("\n", "\r\n")
    directory = lay(files | {"flickr30k_images/results.csv": marked})
    for root in (directory, directory / "flickr30k_images"):
        rows = imported("flickr30k", root)
        assert {row["_file"]: row["caption"] for row in rows} == CAPTIONS
        assert "split" not in rows[0]


def test_karpathys_split_is_taken_where_it_is_there(lay, imported, photographs):
    rows = imported("flickr30k", lay(SOURCES | photographs))
    assert [row["split"] for row in rows] == SPLITS
    assert imported("flickr30k", lay({}), split="karpathy") == rows


def test_karpathys_split_without_his_file_is_an_error(lay, tmp_path, photographs):
    directory = lay({"results.csv": RESULTS} | photographs)
    with pytest.raises(DataError, match=r"looked for dataset_flickr30k\.json"):
        read("flickr30k", directory, tmp_path / "t.csv", split="karpathy")


@pytest.mark.parametrize(
    ("source", "content", "message"),
    [
        (
            "results.csv",
            "image_name| comment_number| comment\na.jpg| 0| x\nb.jpg, 1, y\n",
            r"line 3 is damaged: 'b\.jpg",
        ),
        ("results.csv", "image_name| comment_number| comment\n", "it holds no caption"),
        ("dataset_flickr30k.json", "{", "is damaged"),
        ("dataset_flickr30k.json", '{"pictures": []}', "it lacks 'images'"),
        ("dataset_flickr30k.json", '{"images": []}', "it holds no picture"),
        ("dataset_flickr30k.json", '{"images": [{"filename": "a.jpg", "split": "train"}]}', "it lacks 'sentences'"),
    ],
)
def test_damage_is_named(lay, tmp_path, source, content, message):
    with pytest.raises(DataError, match=rf"{source}.*{message}"):
        read("flickr30k", lay({source: content}), tmp_path / "t.csv")
