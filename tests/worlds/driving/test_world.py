import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omnishot.errors import UsageError
from omnishot.worlds import make
from omnishot.worlds.driving.world import SENSORS

SMALL = {"vehicles": 10, "rows_per_vehicle": 8}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make("driving", tmp_path_factory.mktemp("world") / "d.csv", **SMALL)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_vehicle_has_its_rows_in_one_split(world):
    table = pd.read_csv(world)
    notes = ["_weather", "_curvature", "_distance", "_closing"]
    assert list(table.columns) == [*SENSORS, "steering", "collision", "vehicle", *notes, "split"]
    assert (table.vehicle.value_counts() == 8).all()
    splits = table.groupby("vehicle").split
    assert (splits.nunique() == 1).all()
    assert splits.first().value_counts().to_dict() == {"train": 7, "test": 2, "val": 1}
    assert table.collision.between(0, 10).all()
    assert table.notna().all().all()


def test_cells_are_what_they_claim(world):
    table = pd.read_csv(world)
    for row in table.itertuples():
        with Image.open(world.parent / row.camera) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (72, 48))
        assert np.load(world.parent / row.radar, allow_pickle=False).shape == (64, 2)
        assert np.load(world.parent / row.motion, allow_pickle=False).shape == (20, 3)


def test_the_same_seed_gives_the_same_bytes_and_another_another_world(world, tmp_path):
    again = make("driving", tmp_path / "again" / "d.csv", **SMALL)
    assert files(again.parent) == files(world.parent)
    other = make("driving", tmp_path / "other" / "d.csv", seed=1, **SMALL)
    ours, theirs = files(world.parent), files(other.parent)
    assert not [name for name in ours if ours[name] == theirs[name]]


def test_more_vehicles_change_none(world, tmp_path):
    more = make("driving", tmp_path / "d.csv", vehicles=12, rows_per_vehicle=8)
    pd.testing.assert_frame_equal(pd.read_csv(more)[:80], pd.read_csv(world))


def test_failures_empty_cells_and_change_nothing_else(world, tmp_path):
    failing, whole = pd.read_csv(make("driving", tmp_path / "d.csv", failures=0.25, **SMALL)), pd.read_csv(world)
    for sensor in SENSORS:
        assert (failing[sensor].isna().groupby(failing.vehicle).sum() == 2).all()
    pd.testing.assert_frame_equal(failing.drop(columns=[*SENSORS]), whole.drop(columns=[*SENSORS]))
    kept = files(tmp_path)
    assert all(data == files(world.parent)[name] for name, data in kept.items() if name != "d.csv")
    assert len(kept) == 1 + 10 * 3 * 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vehicles": 2}, "vehicles must be 3 or more"),
        ({"rows_per_vehicle": 0}, "rows_per_vehicle must be 1 or more"),
        ({"failures": 1.0}, "failures must be 0 or more, and below 1"),
        ({"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        make("driving", tmp_path / "d.csv", **options)
    assert not list(tmp_path.iterdir())
