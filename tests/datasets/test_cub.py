from __future__ import annotations

import pytest

from omnishot.datasets import read
from omnishot.errors import DataError, UsageError

SPECIES = [f"{i + 1:03d}.{name}" for i, name in enumerate(["Black_footed_Albatross", "Ovenbird", "Crow", "Brewer's"])]
NAMES = [f"{species}/{species[4:]}_{i:04d}_{7 * i}.jpg" for species in SPECIES for i in (1, 2)]
ATTRIBUTES = ["has_bill_shape::curved_(up_or_down)", "has_bill_shape::dagger", "has_size::small_(5_-_9_in)"]
# Image, attribute, present, certainty, seconds; some published lines hold further zeros.
LABELS = """1 1 1 3 12.7080
1 2 0 0 1 0 1.509
1 3 1 4 0.0
2 1 1 2 1.0
2 2 1 0 4 0 2.5
3 1 1 1 3.0
"""


def numbered(values):
    return "".join(f"{i} {value}\n" for i, value in enumerate(values, start=1))


FILES = {
    "images.txt": numbered(NAMES),
    "classes.txt": numbered(SPECIES),
    "image_class_labels.txt": numbered([1, 1, 2, 2, 3, 3, 4, 4]),
    "train_test_split.txt": numbered([0, 1] * 4),
    "attributes/image_attribute_labels.txt": LABELS,
    "attributes/certainties.txt": "1 not visible\n2 guessing\n3 probably\n4 definitely\n",
}
TEXTS = {
    f"{NAMES[0][:-4]}.txt": b'the bird has a long, curved "bill".\r\n\r\nwhite\xef\xbf\xbd\xef\xbf\xbdwings \r\n',
    f"{NAMES[1][:-4]}.txt": b"a gray bird\xa0here\n" * 10,
    f"{NAMES[2][:-4]}.txt": b"\n",
    "listing.h5": b"x",
}


@pytest.fixture
def published(lay, png):
    """As the archives unpack: attributes.txt and the sentences beside CUB_200_2011."""
    return lay(
        {f"CUB_200_2011/{name}": text for name, text in FILES.items()}
        | {f"CUB_200_2011/images/{name}": png(i) for i, name in enumerate(NAMES)}
        | {"attributes.txt": numbered(ATTRIBUTES)}
        | {f"text_c10/{name}": text for name, text in TEXTS.items()}
    )


@pytest.mark.parametrize("root", ["", "CUB_200_2011"])
def test_one_row_a_photograph(published, imported, png, tmp_path, root):
    rows = imported("cub", published / root, split="none")
    assert list(rows[0]) == ["image", "species", "attributes", "caption", "_file"]
    assert [row["_file"] for row in rows] == NAMES
    assert [row["species"] for row in rows] == [species for species in SPECIES for _ in range(2)]
    assert [(tmp_path / row["image"]).read_bytes() for row in rows] == [png(i) for i in range(8)]
    assert [row["attributes"] for row in rows[:3]] == [[ATTRIBUTES[0], ATTRIBUTES[2]], [ATTRIBUTES[1]], None]
    assert rows[0]["caption"] == ['the bird has a long, curved "bill".', "white wings"]
    assert rows[1]["caption"] == ["a gray bird here"] * 10
    assert [row["caption"] for row in rows[2:]] == [None] * 6


def test_windows_line_ends_change_nothing(published, imported, lay):
    expected = imported("cub", published)
    lay({f"CUB_200_2011/{name}": "\ufeff" + text.replace("\n", "\r\n") for name, text in FILES.items()})
    assert imported("cub", published) == expected


@pytest.mark.parametrize(
    ("certainty", "expected"),
    [(1, [[0, 2], [0, 1], [0]]), (2, [[0, 2], [0, 1], []]), (4, [[2], [1], []])],
)
def test_how_sure_people_were(published, imported, certainty, expected):
    rows = imported("cub", published, certainty=certainty)
    assert [row["attributes"] or [] for row in rows[:3]] == [[ATTRIBUTES[i] for i in numbers] for numbers in expected]


def test_classes_are_split_whole(published, imported):
    splits = []
    for seed in range(9):
        rows = imported("cub", published, seed=seed)
        assert len({(row["species"], row["split"]) for row in rows}) == 4
        splits.append({row["species"]: row["split"] for row in rows})
    assert all(sorted(split.values()) == ["test", "train", "train", "val"] for split in splits)
    assert splits[0] == {row["species"]: row["split"] for row in imported("cub", published)}
    assert any(split != splits[0] for split in splits)


def test_chens_and_the_published_split(published, imported):
    chen = {row["species"]: row["split"] for row in imported("cub", published, split="chen")}
    assert chen == dict(zip(SPECIES, ["train", "val", "train", "test"], strict=True))
    rows = imported("cub", published, split="published")
    assert [row["split"] for row in rows] == ["test", "train"] * 4


def test_the_limit_is_of_each_species(published, imported):
    assert [row["_file"] for row in imported("cub", published, limit=1)] == NAMES[::2]


def test_attributes_may_lie_in_their_folder_and_sentences_in_a_zip(lay, imported, published, pack):
    expected = imported("cub", published)
    (published / "attributes.txt").rename(published / "CUB_200_2011" / "attributes" / "attributes.txt")
    (published / "text_c10").rename(published / "unread")
    lay({"text.zip": pack({f"text/{name}": text for name, text in TEXTS.items()})})
    assert imported("cub", published) == expected


def test_without_attributes_or_sentences_the_columns_are_left_out_with_a_warning(published, imported):
    (published / "CUB_200_2011" / "attributes" / "image_attribute_labels.txt").unlink()
    with pytest.warns(UserWarning, match="holds no image_attribute_labels.txt: the column attributes is left out"):
        assert list(imported("cub", published)[0]) == ["image", "species", "caption", "_file", "split"]
    (published / "text_c10").rename(published / "unread")
    with (
        pytest.warns(UserWarning, match="holds no text_c10 or text: the column caption is left out"),
        pytest.warns(UserWarning, match="column attributes"),
    ):
        assert list(imported("cub", published)[0]) == ["image", "species", "_file", "split"]


def test_a_missing_photograph_keeps_its_row(published, imported):
    (published / "CUB_200_2011" / "images" / NAMES[7]).unlink()
    with pytest.warns(UserWarning, match=r"1 of 8 \(004\.Brewer's/Brewer's_0002_14\.jpg\)"):
        rows = imported("cub", published)
    assert rows[7]["image"] is None
    assert rows[7]["species"] == SPECIES[3]


def test_photographs_of_one_name_in_two_species(lay, published, imported, png, tmp_path):
    names = ["001.A/x.jpg", "002.B/x.jpg"]
    lay({
        "CUB_200_2011/images.txt": numbered(names),
        "CUB_200_2011/classes.txt": numbered(["001.A", "002.B"]),
        "CUB_200_2011/image_class_labels.txt": "1 1\n2 2",
        "CUB_200_2011/attributes/image_attribute_labels.txt": "",
    } | {f"CUB_200_2011/images/{name}": png(i) for i, name in enumerate(names)})  # fmt: skip
    rows = imported("cub", published, split="published")
    assert [(tmp_path / row["image"]).read_bytes() for row in rows] == [png(0), png(1)]


@pytest.mark.parametrize("split", ["classes", "chen"])
def test_too_few_species_to_deal(lay, published, tmp_path, split):
    lay({"CUB_200_2011/image_class_labels.txt": numbered([1, 1, 2, 2, 3, 3, 3, 3])})
    with pytest.raises(DataError, match="holds 3 species, too few for train, val and test; use split=published or"):
        read("cub", published, tmp_path / "t.csv", split=split)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"certainty": 5}, "certainty is 1"), ({"limit": 0}, "limit must be"), ({"seed": -1}, "seed must be")],
)
def test_options_that_do_not_fit(published, imported, options, message):
    with pytest.raises(UsageError, match=message):
        imported("cub", published, **options)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("images.txt", "", "it holds nothing"),
        ("images.txt", "1\n", r"line 1 is damaged: '1' has fewer than 2 fields"),
        ("image_class_labels.txt", "1 1\n", "it lacks image 2"),
        ("classes.txt", "2 001.A\n", "it lacks class 1"),
        ("train_test_split.txt", "1 1\n", "has neither 0 nor 1 for image 2"),
        ("attributes/image_attribute_labels.txt", "1 9 1 4 0.0\n", r"'1 9 1 4 0\.0' is not image, attribute"),
        ("attributes/image_attribute_labels.txt", "1 1 yes 4 0.0\n", "is not image, attribute"),
        ("attributes/image_attribute_labels.txt", "1 1 1 7 0.0\n", "is not image, attribute"),
        ("attributes/image_attribute_labels.txt", "99 1 1 4 0.0\n", "is not image, attribute"),
    ],
)
def test_damage_is_named(lay, published, tmp_path, name, content, message):
    lay({f"CUB_200_2011/{name}": content})
    with pytest.raises(DataError, match=rf"{name}.*{message}"):
        read("cub", published, tmp_path / "t.csv", split="published")
