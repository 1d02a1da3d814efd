import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnishot.errors import DataError, UsageError
from omnishot.table.reading import read_rows, read_table
from omnishot.table.table import require_target

COLUMNS = {
    "number": st.none() | st.floats(-1e6, 1e6).map(lambda x: x + 0.5),
    "whole": st.integers(-(10**9), 10**9),
    "text": st.none() | st.text('abc é,"\n', min_size=1).map(lambda s: "w " + s),
    "flag": st.booleans(),
}


@st.composite
def frames(draw):
    n = draw(st.integers(1, 8))
    columns = {name: draw(st.lists(cell, min_size=n, max_size=n)) for name, cell in COLUMNS.items()}
    return pd.DataFrame(columns | {"label": [f"k{i % 3}" for i in range(n)]})


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    assert a.columns.tolist() == b.columns.tolist()
    for name in a.columns:
        np.testing.assert_array_equal(a[name].isna(), b[name].isna())
        assert a[name].dropna().tolist() == b[name].dropna().tolist()


@settings(max_examples=30)
@given(frames())
def test_every_format_gives_the_same_cells(tmp_path_factory, frame):
    folder = tmp_path_factory.mktemp("formats")
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_csv(folder / "t.tsv", index=False, sep="\t")
    frame.to_json(folder / "t.jsonl", orient="records", lines=True, double_precision=15)
    frame.to_parquet(folder / "t.parquet")
    expected = read_table(frame)
    same(expected.frame, frame)
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    sources = [rows, *(folder / f"t.{kind}" for kind in ("csv", "tsv", "parquet"))]
    for source in sources:
        table = read_table(source)
        same(table.frame, expected.frame)
        assert table.schema == expected.schema
        assert len(table) == len(frame)
    table = read_table(str(folder / "t.jsonl"))  # pandas writes 15 digits of a float, not all
    np.testing.assert_allclose(table.frame["number"].astype(float), expected.frame["number"].astype(float), rtol=1e-12)
    same(table.frame.drop(columns="number"), expected.frame.drop(columns="number"))


def test_bytes_and_arrays_through_parquet(tmp_path):
    rows = {
        "photo": [b"\x89PNG\r\n\x1a\n1", None],
        "pen": [[[0.5, 1.5], [2.5, 3.5]], [[4.5, 5.5]]],
        "label": ["a", "b"],
    }
    pq.write_table(pa.table(rows), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert table.schema.inputs() == {"photo": ("image", ("photo",)), "pen": ("series", ("pen",))}
    assert table.frame["photo"].tolist() == [b"\x89PNG\r\n\x1a\n1", None]
    assert [table.row_number(i) for i in range(2)] == [0, 1]


@pytest.mark.parametrize(
    ("name", "content", "error", "reason"),
    [
        ("t.xlsx", b"x", UsageError, r"unknown table format '.xlsx'.*\.csv"),
        ("t.parquet", b"PAR1 cut off", DataError, "no whole Parquet file"),
        ("t.parquet", b"", DataError, "is empty"),
    ],
)
def test_files_that_are_no_table(tmp_path, name, content, error, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=reason):
        read_table(tmp_path / name)


def test_sources_that_are_no_table(tmp_path):
    with pytest.raises(DataError, match=r"no such table: .*gone.csv"):
        read_table(tmp_path / "gone.csv")
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(DataError, match="is a directory"):
        read_table(tmp_path / "dir.csv")
    with pytest.raises(UsageError, match="cannot read a table from int"):
        read_table(5)
    with pytest.raises(UsageError, match="cannot read a table from list"):
        read_table([1, 2])
    with pytest.raises(DataError, match="is empty"):
        read_table([])
    names = pa.table([[1], [2]], names=["a", "a"])
    pq.write_table(names, tmp_path / "two.parquet")
    with pytest.raises(DataError, match="two columns named 'a'"):
        read_table(tmp_path / "two.parquet")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"target": "lable"}, "unknown column 'lable': did you mean 'label'"),
        ({"group": "speakr"}, "did you mean 'speaker'"),
        ({"split": "part"}, "unknown column 'part'"),
        ({"modality": {"spam": "text"}}, "unknown column 'spam'"),
        ({"modality": {"text": "txt"}}, "unknown modality 'txt': did you mean 'text'"),
        ({"inputs": ["texts"]}, "did you mean 'text'"),
        ({"objective": "rank"}, "unknown objective 'rank'"),
        ({"target": "speaker", "group": "speaker"}, "two of target"),
        ({"target": "text", "modality": {"text": "text"}}, "cannot be an input too"),
        ({"target": "text", "inputs": ["text"]}, "cannot be an input too"),
    ],
)
def test_options_that_do_not_fit(options, reason):
    frame = pd.DataFrame({"text": ["one word", "two words"], "speaker": ["a", "b"], "label": ["x", "y"]})
    with pytest.raises(UsageError, match=reason):
        read_table(frame, **options)


def test_the_only_column_with_the_name_of_a_target_is_the_target():
    assert read_table([{"t": "x", "Label": "a"}]).schema.target == "Label"
    both = read_table([{"t": "x", "label": "a", "y": "b"}])
    assert both.schema.target is None
    assert both.classes == ()
    with pytest.raises(UsageError, match=r"columns: t, label, y"):
        require_target(both)


def test_split_columns():
    rows = [{"t": "x x", "label": "a", "split": "train"}, {"t": "y y", "label": "b", "split": "dev"}]
    assert read_table(rows).schema.split == "split"
    ignored = read_table(rows, split=None).schema
    assert ignored.split is None
    assert ignored.column("split").role == "input"
    with pytest.raises(DataError, match=r"'half' is none of train, val, test"):
        read_table([*rows, {"t": "z", "label": "c", "split": "half"}])
    with pytest.raises(DataError, match="row 2: no value"):
        read_table([*rows, {"t": "z", "label": "c"}])


def test_new_options_keep_the_rest_of_the_schema():
    rows = [{"t": f"some text {i}", "n": i, "k": f"a {i % 2}", "label": "xy"[i % 2]} for i in range(8)]
    first = read_table(rows, modality={"n": "category"})
    assert read_table(first) is first
    second = read_table(first, target="k")
    assert second.schema.target == "k"
    assert second.schema.column("n").modality == "category"
    assert second.schema.column("label").role == "input"
    third = read_table(second, inputs=["t"])
    assert list(third.schema.inputs()) == ["t"]
    assert third.schema.target == "k"
    assert list(read_table(third, inputs=["t", "n"]).schema.inputs()) == ["t", "tabular"]
    assert read_table(read_table(first, objective="classify")).schema.objective == "classify"


def test_rows_to_be_understood_as_an_earlier_table():
    rows = [{"t": f"some text {i}", "n": str(i / 2), "_id": i, "label": "xy"[i % 2]} for i in range(8)]
    schema = read_table(rows, modality={"n": "number"}).schema
    new = read_rows([{"n": "7", "_seen": 1}], schema)
    assert new.schema.target is None
    assert new.schema.inputs() == {"t": ("text", ("t",)), "tabular": ("tabular", ("n",))}
    assert new.frame["t"].isna().all()
    assert new.schema.column("_seen").role == "note"
    assert read_rows([{"t": "1", "label": "new"}], schema).classes == ("new",)
    with pytest.raises(UsageError, match="column 'lable' that the training table had not: did you mean 'label'"):
        read_rows([{"t": "a", "lable": "x"}], schema)
    with pytest.raises(DataError, match="none of the inputs"):
        read_rows([{"label": "x"}], schema)


def test_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "t.csv").write_text("a,b\nx y,1\n")
    assert read_table("sub/t.csv").folder.resolve() == tmp_path / "sub"
    assert read_table([{"a": 1}]).folder.resolve() == tmp_path
    assert read_table([{"a": 1}], folder=None).folder is None


def test_reading_needs_neither_torch_nor_datasets():
    code = "import sys, omnishot.table.checking, omnishot.table.cache, omnishot.table.reading as reading\n"
    code += "reading.read_table([{'a': 1}])\n"
    code += "sys.exit(str({'torch', 'datasets', 'omnishot.modality'} & set(sys.modules) or '') or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
