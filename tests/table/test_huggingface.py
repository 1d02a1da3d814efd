import io

import numpy as np
import pytest
from PIL import Image

from omnishot.errors import DataError, UsageError
from omnishot.table.cells import open_cell
from omnishot.table.checking import describe
from omnishot.table.reading import read_table
from omnishot.table.splits import assign

datasets = pytest.importorskip("datasets", reason="needs the Hugging Face datasets library (extra `hf`)")


def png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (3, 3), value).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photos(tmp_path):
    for i in range(4):
        (tmp_path / "deep" / str(i % 2)).mkdir(parents=True, exist_ok=True)
        (tmp_path / "deep" / str(i % 2) / f"{i}.png").write_bytes(png(i))
    return [str(tmp_path / "deep" / str(i % 2) / f"{i}.png") for i in range(4)]


def images(cells, **others):
    features = {"photo": datasets.Image(), **{name: feature for name, (feature, _) in others.items()}}
    columns = {"photo": cells, **{name: values for name, (_, values) in others.items()}}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def test_images_in_files_stay_undecoded(photos, tmp_path):
    label = datasets.ClassLabel(names=["cat", "dog"])
    table = read_table(images(photos, label=(label, [0, 1, 0, None])))
    assert table.folder == tmp_path / "deep"
    assert table.frame["photo"].tolist() == ["0/0.png", "1/1.png", "0/2.png", "1/3.png"]
    assert table.schema.inputs() == {"photo": ("image", ("photo",))}
    assert table.classes == ("cat", "dog")
    assert table.labels[0].tolist() == [0, 1, 0, -1]
    assert open_cell(table.frame["photo"][3], table.folder) == png(3)


def test_images_in_memory_and_missing(photos):
    table = read_table(images([{"bytes": png(1), "path": "x.png"}, None, Image.new("L", (3, 3))]))
    assert table.frame["photo"][0] == png(1)
    assert table.frame["photo"].isna().tolist() == [False, True, False]
    assert isinstance(table.frame["photo"][2], bytes)


def test_other_features_and_selected_rows():
    array = datasets.Array2D(shape=(2, 3), dtype="float32")
    source = datasets.Dataset.from_dict(
        {
            "grid": [np.full((2, 3), i, np.float32) for i in range(4)],
            "line": [[0.5] * (i + 1) for i in range(4)],
            "text": ["one line", "one more", "another", "the last"],
            "label": [3, 3, 4, 4],
        },
        features=datasets.Features(
            {
                "grid": array,
                "line": datasets.Sequence(datasets.Value("float32")),
                "text": datasets.Value("string"),
                "label": datasets.Value("int64"),
            }
        ),
    ).select([3, 0, 1])
    table = read_table(source)
    assert {name: kind for name, (kind, _) in table.schema.inputs().items()} == {
        "grid": "series",
        "line": "series",
        "text": "text",
    }
    np.testing.assert_array_equal(open_cell(table.frame["grid"][0], None), np.full((2, 3), 3))
    assert table.frame["label"].tolist() == [4, 3, 3]
    assert "2×3" in "\n".join(describe(table).lines())


def test_audio_stays_undecoded(tmp_path):
    source = datasets.Dataset.from_dict({"sound": [{"bytes": b"RIFF....WAVE", "path": None}]})
    source = source.cast_column("sound", datasets.Audio(decode=False))
    assert read_table(source).schema.column("sound").modality == "audio"


def test_the_parts_of_a_dictionary_become_the_split():
    parts = {
        "train": datasets.Dataset.from_dict({"t": ["a a", "b b"], "label": ["x", "y"]}),
        "validation": datasets.Dataset.from_dict({"t": ["c c"], "label": ["z"]}),
    }
    table = read_table(datasets.DatasetDict(parts))
    assert assign(table, 0).tolist() == ["train", "train", "val"]
    with pytest.raises(DataError, match="'unsupervised' is none of"):
        read_table(datasets.DatasetDict(unsupervised=parts["train"]))
    with pytest.raises(UsageError, match="become the column 't'"):
        read_table(datasets.DatasetDict(parts), split="t")


def test_a_streamed_data_set_is_refused():
    with pytest.raises(UsageError, match="without streaming"):
        read_table(datasets.Dataset.from_dict({"a": [1]}).to_iterable_dataset())
