import json

import numpy as np
import pytest

from omnishot.table import checking
from omnishot.table.checking import BadCell, check, describe
from omnishot.table.reading import read_table
from omnishot.table.splits import assign


class Text:
    """Complains about the word "wrong"."""

    media = False

    def decode_columns(self, columns):
        bad = [
            (row, name, "is wrong")
            for name, cells in columns.items()
            for row, cell in enumerate(cells)
            if cell == "wrong"
        ]
        return np.zeros(len(next(iter(columns.values())))), bad


class Image:
    media = True

    def decode(self, content):
        if content == b"broken":
            raise ValueError("is broken")
        return np.zeros(1)


@pytest.fixture
def table(tmp_path):
    for name in ("good", "broken"):
        (tmp_path / f"{name}.png").write_text(name)
    (tmp_path / "t.csv").write_text(
        "photo,note,kind,label\n"
        "good.png,a word,x,a\n"
        "broken.png,wrong,y,a\n"
        ",,x,\n"
        "../secret.png,a b,wrong,b\n"
        "gone.png,b c,x,b\n"
    )
    return read_table(tmp_path / "t.csv", modality={"kind": "category"})


EXPECTED = [
    (3, "photo", "is broken"),
    (3, "note", "is wrong"),
    (4, "label", "the target is missing"),
    (5, "photo", "points outside the table's folder: ../secret.png"),
    (5, "kind", "is wrong"),
    (6, "photo", "no such file: gone.png"),
]


@pytest.mark.parametrize("slab", [1, 2, 1 << 16])
def test_every_bad_cell_is_reported_with_its_line(table, monkeypatch, slab):
    monkeypatch.setattr(checking, "SLAB", slab)
    bad = check(table, {"photo": Image(), "note": Text(), "tabular": Text()})
    assert [(cell.number, cell.column, cell.reason) for cell in bad] == EXPECTED
    assert [cell.row for cell in bad] == [number - 2 for number, _, _ in EXPECTED]
    assert bad[0].to_json() == {"row": 3, "column": "photo", "reason": "is broken"}


def test_rows_without_a_group_and_targets_that_are_no_number():
    rows = [{"who": "ab"[i % 2], "x": f"text {i} text", "y": i + 0.5} for i in range(12)]
    rows[3]["who"] = None
    rows[5]["y"] = "much"
    rows[6]["y"] = "inf"
    bad = check(read_table(rows, group="who"), {})
    assert [(cell.row, cell.column, cell.reason) for cell in bad] == [
        (3, "who", "the group is missing"),
        (5, "y", "'much' is no finite number"),
        (6, "y", "'inf' is no finite number"),
    ]


def test_the_report(table):
    bad = [BadCell(1, "photo", "is broken", 3), BadCell(0, "note", "is wrong")]
    report = describe(table, bad=bad)
    photo, note, kind, label = report.columns
    assert (photo.modality, photo.present, photo.examples[0]) == ("image", 4, "good.png")
    assert (note.modality, note.present, note.distinct) == ("text", 4, 4)
    assert (kind.role, kind.modality, kind.distinct) == ("input", "category", 3)
    assert (label.role, label.modality, label.present) == ("target", None, 4)
    assert report.classes == {"count": 2, "min": 2, "median": 2.0, "max": 2}
    assert report.splits is None
    lines = report.lines()
    assert lines[0].endswith("t.csv: 5 rows, 4 columns, to classify")
    assert "bad cell: row 3, column 'photo': is broken" in lines
    assert "bad cell: row 0, column 'note': is wrong" in lines
    assert lines[-1] == "2 bad cells"
    saved = json.loads(json.dumps(report.to_json()))
    assert saved["bad"][0] == {"row": 3, "column": "photo", "reason": "is broken"}


def test_the_report_counts_splits():
    rows = [{"x": "a b", "label": f"k{i % 10}", "who": f"g{i % 5}"} for i in range(50)]
    table = read_table(rows, group="who")
    report = describe(table, assign(table, 0))
    assert sum(part["rows"] for part in report.splits.values()) == 50
    assert sum(part["groups"] for part in report.splits.values()) == 5
    assert report.splits["train"] == {"rows": 30, "classes": 6, "groups": 3}
    assert any(line.startswith("train: 30 rows") for line in report.lines())


def test_examples_of_every_kind():
    rows = [{"b": b"\x89PNG\r\n\x1a\n", "a": np.zeros((2, 3)), "t": "long " * 20, "l": [[1.0], [2.0, 3.0]], "n": 2.0}]
    report = describe(read_table(rows, modality={"l": "series"}))
    shown = {column.name: column.examples[0] for column in report.columns}
    assert shown["b"] == "<image, 8 bytes>"
    assert shown["a"] == "<array 2×3>"
    assert shown["l"] == "<ragged list>"
    assert len(shown["t"]) == 32
    assert shown["n"] == "2"
