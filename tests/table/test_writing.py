from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from omnishot.errors import DataError, UsageError
from omnishot.table.reading import read_table
from omnishot.table.writing import FORMATS, TableWriter, write_frame

FRAME = pd.DataFrame({"text": ["a,b", 'say "ü"', None], "number": [0.1, None, 3.0], "kind": ["x", "y", "x"]})


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_written_frame_is_read_again(tmp_path, suffix):
    out = write_frame(FRAME, tmp_path / "new" / f"t{suffix}")
    frame = read_table(out).frame
    assert list(frame) == list(FRAME)
    for name in FRAME:
        assert frame[name].isna().equals(FRAME[name].isna())
        assert frame[name].dropna().tolist() == FRAME[name].dropna().tolist()
    assert list(out.parent.iterdir()) == [out]


CAPTIONS = [["a dog, running", 'it says "ü"\tand\nmore'], None, ["one"], []]


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t")])
def test_text_formats_hold_a_list_as_its_json(tmp_path, suffix, separator):
    out = write_frame(pd.DataFrame({"caption": CAPTIONS, "n": range(4)}), tmp_path / f"t{suffix}")
    with out.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter=separator)
    assert header == ["caption", "n"]
    assert [json.loads(cell) if cell else None for cell, _ in rows] == CAPTIONS
    assert "ü" in rows[0][0]


def test_jsonl_holds_a_list_as_it_is(tmp_path):
    out = write_frame(pd.DataFrame({"caption": CAPTIONS}), tmp_path / "t.jsonl")
    assert [json.loads(line)["caption"] for line in out.read_text(encoding="utf-8").splitlines()] == CAPTIONS


def test_parquet_holds_a_list_as_it_is(tmp_path):
    out = write_frame(pd.DataFrame({"caption": CAPTIONS}), tmp_path / "t.parquet")
    assert pq.read_table(out).column("caption").to_pylist() == CAPTIONS


def test_a_list_leaves_the_given_frame_as_it_was(tmp_path):
    frame = pd.DataFrame({"caption": CAPTIONS})
    write_frame(frame, tmp_path / "t.csv")
    assert frame["caption"].tolist() == CAPTIONS


def test_parquet_refuses_a_column_of_lists_and_text(tmp_path):
    with pytest.raises(DataError, match=r"cannot write .*t\.parquet: .*one type"):
        write_frame(pd.DataFrame({"caption": [["a"], "b"]}), tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_media_are_read_again(tmp_path, suffix):
    writer = TableWriter(tmp_path / f"t{suffix}")
    png = b"\x89PNG\r\n\x1a\n" + bytes(9)
    writer.row(photo=writer.media("a/1.png", png), kind="x")
    writer.row(photo=None, kind="y")
    cells = read_table(writer.close()).frame["photo"]
    assert cells.isna().tolist() == [False, True]
    first = cells[0]
    assert (first if isinstance(first, bytes) else (tmp_path / first).read_bytes()) == png


def test_a_name_of_no_format_is_refused():
    for write in (TableWriter, lambda out: write_frame(FRAME, out)):
        with pytest.raises(UsageError, match=r"cannot write a table to t\.xls: the name must end in one of \.csv"):
            write("t.xls")


def test_a_full_disk_leaves_the_old_table(tmp_path, monkeypatch):
    out = write_frame(FRAME, tmp_path / "t.csv")
    before = out.read_bytes()

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(DataError, match=r"cannot write .*t\.csv: No space left on device"):
            write_frame(FRAME.iloc[:1], out)
    assert out.read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]
