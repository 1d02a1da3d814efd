import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omnishot import read_table
from omnishot.errors import UsageError
from omnishot.worlds import make

SMALL = {"hospitals": 10, "patients": 6}
INPUTS = ["picture", "note", "vitals", "age", "sex", "creatinine", "lactate", "crp", "white_cells"]


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make("ward", tmp_path_factory.mktemp("world") / "w.csv", **SMALL)


def test_every_hospital_has_its_patients_in_one_split(world):
    table = pd.read_csv(world)
    assert list(table.columns) == [*INPUTS, "outcome", "hospital", "_score", "split"]
    assert (table.hospital.value_counts() == 6).all()
    splits = table.groupby("hospital").split
    assert (splits.nunique() == 1).all()
    assert splits.first().value_counts().to_dict() == {"train": 7, "test": 2, "val": 1}
    assert set(table.outcome) == {"home", "ward", "intensive care"}
    assert table[["creatinine", "lactate", "crp", "white_cells"]].isna().mean().between(0.01, 0.4).all()


def test_the_outcome_rises_with_the_score_in_every_hospital(world):
    rank = {"home": 0, "ward": 1, "intensive care": 2}
    for _, rows in pd.read_csv(world).groupby("hospital"):
        assert rows.sort_values("_score").outcome.map(rank).is_monotonic_increasing


def test_cells_are_what_they_claim(world):
    table = pd.read_csv(world)
    for row in table.itertuples():
        with Image.open(world.parent / row.picture) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "L", (64, 64))
        vitals = np.load(world.parent / row.vitals, allow_pickle=False)
        assert vitals.shape == (24, 4)
        assert np.isfinite(vitals).any(0).all()
        assert len(row.note) > 10


def test_conditions_are_in_one_split_each(tmp_path):
    table = pd.read_parquet(make("ward", tmp_path / "w.parquet", form="conditions", conditions=10, **SMALL))
    assert list(table.columns) == [*INPUTS, "condition", "_hospital", "split"]
    assert (table.condition.value_counts() == 6).all()
    assert (table.groupby("condition").split.nunique() == 1).all()
    assert set(table.split) == {"train", "val", "test"}
    assert table._hospital.nunique() > 5


def test_the_table_is_read_with_all_its_inputs(world):
    schema = read_table(world, target="outcome", group="hospital").schema
    kinds = {name: kind for name, (kind, _) in schema.inputs().items()}
    assert kinds == {"picture": "image", "note": "text", "vitals": "series", "tabular": "tabular"}
    assert schema.inputs()["tabular"][1] == tuple(INPUTS[3:])


def test_the_same_seed_gives_the_same_bytes_and_another_another_world(world, tmp_path):
    again = make("ward", tmp_path / "again" / "w.csv", **SMALL)
    assert files(again.parent) == files(world.parent)
    other = make("ward", tmp_path / "other" / "w.csv", seed=1, **SMALL)
    ours, theirs = files(world.parent), files(other.parent)
    assert ours.keys() == theirs.keys()
    assert not [name for name in ours if ours[name] == theirs[name]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "hospital"}, "did you mean 'hospitals'"),
        ({"hospitals": 2}, "hospitals must be 3 or more"),
        ({"conditions": 999}, "conditions must be 3 to 150, not 999"),
        ({"patients": 0}, "patients must be 1 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        make("ward", tmp_path / "w.csv", **options)
    assert not list(tmp_path.iterdir())
