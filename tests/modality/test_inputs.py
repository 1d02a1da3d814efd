import io

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from omnishot.errors import DataError, UsageError
from omnishot.modality import inputs as module
from omnishot.modality import modality_class
from omnishot.modality.inputs import decode_inputs, fit_inputs
from omnishot.table.reading import read_table
from omnishot.table.table import Table


@pytest.fixture
def table(tmp_path, rng) -> Table:
    """Twelve rows: row 3's file is absent, row 4's cut off, row 5 has none, row 2's number is text."""
    for i in range(12):
        PIL.Image.fromarray(rng.integers(0, 256, (20, 20), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "3.png").unlink()
    (tmp_path / "4.png").write_bytes((tmp_path / "4.png").read_bytes()[:150])
    frame = pd.DataFrame(
        {
            "label": list("ab") * 6,
            "age": [str(i) for i in range(12)],
            "photo": [f"{i}.png" for i in range(12)],
            "note": [f"bird number {i}" for i in range(12)],
            "colour": ["red", "blue", None] * 4,
        }
    )
    frame.loc[2, "age"] = "old"
    frame.loc[5, "photo"] = None
    frame.to_csv(tmp_path / "birds.csv", index=False)
    said = {"age": "number", "note": "text", "colour": "category", "photo": "image"}
    return read_table(tmp_path / "birds.csv", target="label", modality=said)


def test_every_input_is_fitted_and_decoded(table, tmp_path):
    fitted = fit_inputs(table, np.arange(8))
    assert {name: modality.kind for name, modality in fitted.items()} == {
        "tabular": "tabular",
        "photo": "image",
        "note": "text",
    }
    decoded = decode_inputs(table, fitted, root=tmp_path / "cache")
    assert list(decoded.stored) == list(fitted)
    for name, stored in decoded.stored.items():
        assert stored.shape == (12, *fitted[name].shape)
        assert stored.dtype == fitted[name].dtype
    photo = list(fitted).index("photo")
    assert np.flatnonzero(~decoded.present[:, photo]).tolist() == [3, 4, 5]
    assert decoded.present[:, list(fitted).index("note")].all()
    assert [(cell.row, cell.column) for cell in decoded.bad] == [(2, "age"), (3, "photo"), (4, "photo")]
    assert "truncated" in decoded.bad[2].reason


def test_plain_values_are_decoded_some_rows_at_a_time_to_the_same(table, tmp_path, monkeypatch):
    fitted = {name: modality for name, modality in fit_inputs(table, np.arange(8)).items() if not modality.media}
    table.frame.loc[7, "age"] = "seven"  # in the second part
    whole = decode_inputs(table, fitted)
    monkeypatch.setattr(module, "SLAB", 5)
    parts = decode_inputs(table, fitted)
    assert list(parts.stored) == ["tabular", "note"]
    for name, stored in whole.stored.items():
        np.testing.assert_array_equal(parts.stored[name], stored)
    np.testing.assert_array_equal(parts.present, whole.present)
    assert parts.bad == whole.bad
    assert [(cell.row, cell.column) for cell in parts.bad] == [(2, "age"), (7, "age")]


def test_only_training_rows_are_looked_at(table):
    fitted = fit_inputs(table, np.array([6, 7, 9]))["tabular"]
    assert fitted.mean[0] == pytest.approx((6 + 7 + 9) / 3)
    assert fitted.levels[1] == ("red", "blue")


def test_same_seed_same_modalities(table, monkeypatch):
    monkeypatch.setattr(module, "MEDIA_SAMPLE", 2)
    assert fit_inputs(table, np.arange(12), seed=3) == fit_inputs(table, np.arange(12), seed=3)
    different = {fit_inputs(table, np.arange(12), seed=seed)["photo"] for seed in range(5)}
    assert len(different) > 1


def test_large_files_stop_the_sample(table, monkeypatch):
    monkeypatch.setattr(module, "MEDIA_BYTES", 1)
    assert len(module._opened(table.frame["photo"].to_list()[:3], table.folder)) == 1


def test_another_mean_needs_no_other_cache(table, tmp_path):
    for rows in (np.arange(6), np.arange(6, 12)):
        photo = fit_inputs(table, rows, {"image": {"size": 9}})["photo"]
        decode_inputs(table, {"photo": photo}, root=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_options_by_kind_and_by_name(table):
    options = {"image": {"size": 9, "channels": 3}, "photo": {"size": 7}}
    assert fit_inputs(table, np.arange(3), options)["photo"].shape == (3, 7, 7)
    with pytest.raises(UsageError, match="did you mean 'photo'"):
        fit_inputs(table, np.arange(3), {"phot": {}})
    with pytest.raises(UsageError, match="did you mean 'size'"):
        fit_inputs(table, np.arange(3), {"photo": {"sizes": 3}})
    with pytest.raises(UsageError, match="no option 'kinds'"):
        fit_inputs(table, np.arange(3), {"tabular": {"kinds": {}}})


def test_an_input_without_a_usable_training_cell(table):
    with pytest.raises(DataError, match=r"'photo'.*1 training rows.*missing"):
        fit_inputs(table, np.array([5]))
    with pytest.raises(DataError, match="no such file"):
        fit_inputs(table, np.array([3]))
    with pytest.raises(DataError, match="truncated"):
        fit_inputs(table, np.array([4]))


def test_a_table_without_a_column_that_is_read(table, tmp_path):
    fitted = fit_inputs(table, np.arange(3))
    other = read_table(table.frame.drop(columns="colour"), target="label", modality={"age": "number"})
    with pytest.raises(UsageError, match="colour"):
        decode_inputs(other, fitted, root=tmp_path)


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'image'"):
        modality_class("imag")


@pytest.mark.parametrize("kind", ["image", "text", "audio", "video", "series", "tabular"])
def test_the_registry_names_each_class_by_its_kind(kind):
    assert modality_class(kind).kind == kind


def test_image_bytes_in_a_frame(rng, tmp_path):
    file = io.BytesIO()
    PIL.Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(file, "PNG")
    table = read_table(pd.DataFrame({"x": [file.getvalue(), None], "label": ["a", "b"]}), target="label")
    fitted = fit_inputs(table, np.arange(2))
    assert decode_inputs(table, fitted, root=tmp_path).present.tolist() == [[True], [False]]
