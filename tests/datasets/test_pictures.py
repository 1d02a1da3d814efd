from __future__ import annotations

import pytest

from omnishot.datasets.pictures import Pictures
from omnishot.errors import DataError
from omnishot.table.writing import TableWriter


@pytest.fixture
def table(tmp_path):
    return TableWriter(tmp_path / "t.parquet")  # whose cells are the pictures


def test_all_folders_are_searched_and_an_unpacked_one_before_its_zip(lay, table, pack):
    directory = lay({
        "a/1.jpg": b"1", "a/in/2.jpg": b"2", "a.zip": pack({"a/3.jpg": b"3"}),
        "x/b/4.jpg": b"4", "c.zip": pack({"c\\5.jpg": b"5", "6.jpg": b"6"}), "d/7.jpg": b"7",
    })  # fmt: skip
    with Pictures(table, directory, ("a", "b", "c")) as pictures:
        cells = [pictures.cell(f"{i}.jpg") for i in (1, 2, 4, 5, 6)]
    assert cells == [b"1", b"2", b"4", b"5", b"6"]


def test_the_first_name_that_is_there(lay, table):
    with Pictures(table, lay({"a/1.jpg": b"1", "a/2.jpg": b"2"}), ("a",)) as pictures:
        assert pictures.cell("0.jpg", "2.jpg", "1.jpg") == b"2"


def test_the_depth_of_a_name(lay, table):
    with Pictures(table, lay({"a/x/1.jpg": b"x", "a/y/1.jpg": b"y"}), ("a",), depth=2) as pictures:
        assert pictures.cell("y/1.jpg") == b"y"


def cells(table, directory, *names):
    with Pictures(table, directory, ("a",)) as pictures:
        return [pictures.cell(name) for name in names]


def test_a_name_that_climbs_out_is_missing(lay, tmp_path):
    directory = lay({"a/1.jpg": b"1", "secret.jpg": b"s"})
    with pytest.warns(UserWarning, match=r"1 of 2 \(\.\./secret\.jpg\)"):
        assert cells(TableWriter(tmp_path / "t.csv"), directory, "../secret.jpg", "1.jpg") == [None, "t_files/1.jpg"]


def test_a_picture_is_stored_once_and_missed_once(lay, table):
    directory = lay({"a/1.jpg": b"1"})
    with pytest.warns(UserWarning, match=r"1 of 2 \(0\.jpg\)"):
        assert cells(table, directory, "1.jpg", "1.jpg", "0.jpg", "0.jpg") == [b"1", b"1", None, None]


@pytest.mark.parametrize("packed", [True, False])
def test_a_damaged_zip_is_named(lay, table, pack, packed):
    whole = pack({"1.jpg": b"a picture"})
    broken = whole.replace(b"a picture", b"a victure", 1) if packed else whole[:-30]
    directory = lay({"a.zip": broken})
    with pytest.raises(DataError, match=r"a\.zip.* is damaged"):
        cells(table, directory, "1.jpg")


def test_an_error_on_the_way_is_not_hidden_by_the_account(lay, table, monkeypatch):
    directory = lay({"a/1.jpg": b"1"})
    monkeypatch.setattr(table, "media", lambda name, data: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cells(table, directory, "0.jpg", "1.jpg")
