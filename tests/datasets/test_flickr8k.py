from __future__ import annotations

import csv
import json
import unicodedata

import pyarrow.parquet as pq
import pytest

from omnishot.datasets import read
from omnishot.errors import DataError, UsageError

# As published: the name, #, the number, a tab, the caption with blanks before its full stop.
TOKENS = [
    "1000268201_693b08cb0e.jpg#0\tA child in a pink dress is climbing up stairs .",
    '1000268201_693b08cb0e.jpg#1\tA girl, so it says, "goes in" .',
    '1000268201_693b08cb0e.jpg#1\tA girl, so it says, "goes in" .',
    "1000268201_693b08cb0e.jpg#2\t",
    "a dog #2 at the caf\u00e9.jpg#0\tA dog\u2028runs .",
    "1001773457_577c3a7d70.jpg#0\tTwo dogs .",
    "1001773457_577c3a7d70.jpg#1\tTwo dogs .",
    "2258277193_586949ec62.jpg.1#0\tThe file that is published nowhere .",
    "1002674143_1b742ab4b8.jpg#0\tA girl with paint .",
    "blank.jpg#0\t",
    "blank.jpg#1",
]
NAMES = ["1000268201_693b08cb0e.jpg", "a dog #2 at the caf\u00e9.jpg", "1001773457_577c3a7d70.jpg", "blank.jpg"]
CAPTIONS = {
    NAMES[0]: ["A child in a pink dress is climbing up stairs .", 'A girl, so it says, "goes in" .'],
    NAMES[1]: ["A dog\u2028runs ."],
    NAMES[2]: ["Two dogs .", "Two dogs ."],
    "2258277193_586949ec62.jpg.1": ["The file that is published nowhere ."],
    "1002674143_1b742ab4b8.jpg": ["A girl with paint ."],
    NAMES[3]: None,
}
LISTS = {
    "Flickr_8k.trainImages.txt": f"{NAMES[0]}\n{NAMES[3]}\n",
    "Flickr_8k.devImages.txt": f"{NAMES[1]}\r\n",
    "Flickr_8k.testImages.txt": f"\ufeff{NAMES[2]}",
}
KARPATHY = {
    "dataset": "flickr8k",
    "images": [
        {"filename": NAMES[2], "split": "test", "sentences": [{"raw": " Two dogs .", "tokens": ["two", "dogs"]}]},
        {"filename": NAMES[0], "split": "train", "sentences": []},
    ],
}


def texts(ends="\n", mark=""):
    return {"Flickr8k.token.txt": mark + ends.join(TOKENS) + ends, **LISTS}


@pytest.fixture
def photographs(png):
    return {name: png(10 * (i + 1)) for i, name in enumerate([*NAMES, "1002674143_1b742ab4b8.jpg"])}


@pytest.fixture
def published(lay, photographs):
    return lay(
        {f"Flickr8k_text/{name}": text for name, text in texts().items()}
        | {f"Flicker8k_Dataset/{name}": data for name, data in photographs.items()}
        | {"Flickr8k_text/__MACOSX/Flickr8k.token.txt": b"litter"}
    )


def captions(rows):
    return {row["_file"]: row["caption"] for row in rows}


def test_every_caption_lands_with_its_photograph(published, imported, photographs, tmp_path):
    with pytest.warns(UserWarning, match=r"empty pictures: 1 of 6 \(2258277193_586949ec62\.jpg\.1\);"):
        rows = imported("flickr8k", published, split="none")
    assert list(rows[0]) == ["image", "caption", "_file"]
    assert captions(rows) == CAPTIONS
    assert list(captions(rows)) == list(CAPTIONS)
    for row in rows:
        data = (tmp_path / row["image"]).read_bytes() if row["image"] else None
        assert data == photographs.get(row["_file"])


def test_the_lists_are_the_split_and_pictures_in_none_are_reported(published, imported):
    with pytest.warns(UserWarning, match=r"left out: 2 \(2258277193_586949ec62\.jpg\.1 first\) in no list"):
        rows = imported("flickr8k", published)
    assert {row["_file"]: row["split"] for row in rows} == dict(
        zip(NAMES, ["train", "val", "test", "train"], strict=True)
    )


@pytest.mark.filterwarnings("ignore:.*in no list")
def test_a_listed_picture_without_caption_is_reported(published, imported, lay):
    lay({"Flickr8k_text/Flickr_8k.trainImages.txt": f"{NAMES[0]}\nother.jpg\n"})
    with pytest.warns(UserWarning, match=r"left out: 1 \(other\.jpg first\) listed, but without"):
        assert len(imported("flickr8k", published)) == 3


@pytest.mark.filterwarnings("ignore:.*in no list")
@pytest.mark.parametrize(("ends", "mark"), [("\r\n", ""), ("\r", ""), ("\n", "\ufeff"), ("\r\n\r\n", "\ufeff")])
def test_line_ends_and_byte_order_marks_change_nothing(published, imported, lay, ends, mark):
    expected = imported("flickr8k", published)
    lay({f"Flickr8k_text/{name}": text for name, text in texts(ends, mark).items()})
    assert imported("flickr8k", published) == expected


@pytest.mark.filterwarnings("ignore:.*in no list")
@pytest.mark.parametrize("folder", ["Flickr8k_Dataset", "Images", "images", "x/Flicker8k_Dataset", "Images/inner"])
def test_where_the_photographs_may_lie(lay, imported, photographs, folder):
    directory = lay(texts() | {f"{folder}/{name}": data for name, data in photographs.items()})
    assert all(row["image"] for row in imported("flickr8k", directory))


@pytest.mark.filterwarnings("ignore:.*in no list")
def test_the_published_zips_are_read_as_they_are(lay, imported, pack, photographs, published, tmp_path):
    expected = imported("flickr8k", published)
    files = {name: text.encode() for name, text in texts().items()}
    litter = {"__MACOSX/Flicker8k_Dataset/._1000268201_693b08cb0e.jpg": b"x", "__MACOSX/Flickr8k.token.txt": b"x"}
    directory = lay({
        "../zips/Flickr8k_text.zip": pack(litter | files),
        "../zips/Flickr8k_Dataset.zip": pack(litter | {f"Flicker8k_Dataset/{n}": d for n, d in photographs.items()}),
    })  # fmt: skip
    rows = imported("flickr8k", directory.parent / "zips")
    assert rows == expected
    assert (tmp_path / rows[1]["image"]).read_bytes() == photographs[NAMES[1]]


@pytest.mark.filterwarnings("ignore:.*in no list")
def test_an_accent_may_be_spelled_either_way(lay, imported, photographs):
    decomposed = {f"Images/{unicodedata.normalize('NFD', name)}": data for name, data in photographs.items()}
    rows = imported("flickr8k", lay(texts() | decomposed))
    assert all(row["image"] for row in rows)


def test_an_empty_file_is_missing(lay, published, imported):
    lay({f"Flicker8k_Dataset/{NAMES[0]}": b""})
    with pytest.warns(UserWarning, match=r"empty pictures: 2 of 6 \(1000268201_693b08cb0e\.jpg, 2258"):
        rows = imported("flickr8k", published, split="none")
    assert rows[0] == {"image": None, "caption": CAPTIONS[NAMES[0]], "_file": NAMES[0]}


def test_more_missing_pictures_than_are_named(lay, imported, png):
    lines = "".join(f"{i}.jpg#0\tone .\n" for i in range(9))
    directory = lay({"Flickr8k.token.txt": lines, "Images/8.jpg": png(1)})
    with pytest.warns(UserWarning, match=r"8 of 9 \(0\.jpg, 1\.jpg, 2\.jpg, 3\.jpg, 4\.jpg and 3 more\); "):
        assert len(imported("flickr8k", directory, split="none")) == 9


def test_all_pictures_missing_is_an_error(lay, tmp_path):
    directory = lay(texts() | {"Images/other.jpg": b"x"})
    with pytest.raises(DataError, match=r"none of the 6 pictures is in Flicker8k_Dataset/ or .*: missing are 10002"):
        read("flickr8k", directory, tmp_path / "t.csv", split="none")
    assert not (tmp_path / "t.csv").exists()


def test_no_folder_of_pictures_is_an_error(lay, tmp_path):
    with pytest.raises(DataError, match=r"holds no pictures; looked for Flicker8k_Dataset/ or Flicker8k_Dataset\.zip"):
        read("flickr8k", lay(texts()), tmp_path / "t.csv", split="none")


def test_without_the_lists_the_remedy_is_named(lay, tmp_path):
    directory = lay({"Flickr8k.token.txt": TOKENS[0]})
    with pytest.raises(DataError, match=r"looked for Flickr_8k\.trainImages\.txt, .*without lists use split=none"):
        read("flickr8k", directory, tmp_path / "t.csv")


def test_a_picture_in_two_lists_is_an_error(lay, published, tmp_path):
    lay({"Flickr8k_text/Flickr_8k.testImages.txt": f"\n{NAMES[0]}"})
    with pytest.raises(DataError, match=r"testImages\.txt, line 2 is damaged: 1000268201_.* is in Flickr_8k\.trainI"):
        read("flickr8k", published, tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a.jpg#0\tone\nb.jpg two\n", r"line 2 is damaged: 'b\.jpg two' is not NAME#NUMBER"),
        (b"a.jpg#0\tone\nb.jpg#0\tcaf\xe9\n", r"line 2: not UTF-8"),
        (b"\n \n", r"it holds no caption"),
    ],
)
def test_damage_names_the_line(lay, tmp_path, content, message):
    with pytest.raises(DataError, match=rf"Flickr8k\.token\.txt.*{message}"):
        read("flickr8k", lay({"Flickr8k.token.txt": content}), tmp_path / "t.csv", split="none")


def test_the_mirrored_file_of_captions(lay, imported, photographs):
    lines = ["image,caption", f'{NAMES[0]},"A girl, so it says, ""goes in"" ."', f"{NAMES[0]},", f"{NAMES[1]},A dog ."]
    directory = lay({"captions.txt": "\r\n".join(lines)} | {f"Images/{n}": d for n, d in photographs.items()})
    rows = imported("flickr8k", directory, split="none")
    assert captions(rows) == {NAMES[0]: ['A girl, so it says, "goes in" .'], NAMES[1]: ["A dog ."]}


def test_karpathys_split(lay, imported, published):
    lay({"dataset_flickr8k.json": b"\xef\xbb\xbf" + json.dumps(KARPATHY).encode()})
    rows = imported("flickr8k", published, split="karpathy")
    assert [(row["_file"], row["caption"], row["split"]) for row in rows] == [
        (NAMES[2], ["Two dogs ."], "test"),
        (NAMES[0], None, "train"),
    ]


@pytest.mark.filterwarnings("ignore:.*in no list")
def test_the_limit_is_of_each_split(published, imported):
    assert [row["split"] for row in imported("flickr8k", published, limit=1)] == ["train", "val", "test"]
    with pytest.raises(UsageError, match="limit must be at least 1, not 0"):
        imported("flickr8k", published, limit=0)


@pytest.mark.filterwarnings("ignore:missing or empty")
def test_csv_holds_the_captions_as_json_and_parquet_the_pictures(published, tmp_path, photographs):
    with read("flickr8k", published, tmp_path / "t.csv", split="none").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["_file"]: json.loads(row["caption"]) if row["caption"] else None for row in rows} == CAPTIONS
    table = pq.read_table(read("flickr8k", published, tmp_path / "t.parquet", split="none")).to_pylist()
    assert captions(table) == CAPTIONS
    assert {row["_file"]: row["image"] for row in table} == {name: photographs.get(name) for name in CAPTIONS}
