import numpy as np
import pandas as pd
import pytest

from omnishot import read_table
from omnishot.errors import UsageError
from omnishot.worlds import make

ALL = "sinusoids,lines,quadratics"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return pd.read_csv(make("functions", tmp_path_factory.mktemp("world") / "f.csv", families=ALL, tasks=120))


def residual(basis, y):
    """How far y is from the span of the basis functions, at most."""
    return np.abs(basis @ np.linalg.lstsq(basis, y, rcond=None)[0] - y).max()


def test_every_task_is_one_function_of_its_family_within_its_ranges(world):
    families = {name: [] for name in ALL.split(",")}
    for _, rows in world.groupby("task"):
        x, y, (family,) = rows.x.to_numpy(), rows.y.to_numpy(), rows._family.unique()
        basis = {
            "sinusoids": [np.sin(x), -np.cos(x)],
            "lines": [x, np.ones_like(x)],
            "quadratics": [x**2, x, np.ones_like(x)],
        }[family]
        basis = np.stack(basis, 1)
        assert residual(basis, y) < 1e-9
        families[family].append(np.linalg.lstsq(basis, y, rcond=None)[0])
    assert world.x.between(-5, 5).all()
    sine, cosine = np.transpose(families["sinusoids"])  # a sin(x - phase) = a cos(phase) sin x - a sin(phase) cos x
    amplitude, phase = np.hypot(sine, cosine), np.arctan2(cosine, sine)
    assert 0.1 <= amplitude.min() < 1.0
    assert 4.0 < amplitude.max() <= 5.0
    assert 0 <= phase.min() < 0.5
    assert 2.6 < phase.max() <= np.pi
    slopes = np.array(families["lines"])
    assert 2.5 < np.abs(slopes).max() <= 3
    a, b, c = np.transpose(families["quadratics"])
    assert 0.02 <= np.abs(a).min() < 0.05
    assert 0.12 < np.abs(a).max() <= 0.15
    assert set(np.sign(a)) == {-1, 1}
    assert np.abs(b / (2 * a)).max() <= 3  # the centre
    assert np.abs(c - b**2 / (4 * a)).max() <= 3  # the height there


def test_families_take_turns_and_every_split_has_each(world):
    tasks = world.groupby("task").first()
    assert (tasks._family.value_counts() == 40).all()
    assert (world.groupby("task").split.nunique() == 1).all()
    counts = tasks.groupby("_family").split.value_counts().unstack()
    assert (counts == pd.Series({"train": 28, "val": 4, "test": 8})[counts.columns]).all().all()


def test_the_same_seed_gives_the_same_table_and_more_tasks_change_none(tmp_path):
    first, again, more, other = (
        make("functions", tmp_path / f"{i}.csv", tasks=tasks, seed=seed)
        for i, (tasks, seed) in enumerate([(5, 3), (5, 3), (8, 3), (5, 4)])
    )
    assert first.read_bytes() == again.read_bytes()
    pd.testing.assert_frame_equal(pd.read_csv(more)[:100], pd.read_csv(first))
    assert not pd.read_csv(other).x.isin(pd.read_csv(first).x).any()


def test_noise_is_added_to_the_values_alone(tmp_path):
    plain, noisy = (pd.read_csv(make("functions", tmp_path / "t.csv", tasks=50, noise=n)) for n in (0, 0.3))
    assert (plain.x == noisy.x).all()
    assert 0.28 < (noisy.y - plain.y).std() < 0.32


def test_the_family_is_never_learned_from(tmp_path):
    schema = read_table(make("functions", tmp_path / "t.csv", families=ALL, tasks=30), target="y", group="task").schema
    assert schema.inputs() == {"tabular": ("tabular", ("x",))}
    assert schema.objective == "regress"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"families": "sinusoid"}, "did you mean 'sinusoids'"),
        ({"families": "lines,lines"}, "names one twice"),
        ({"families": ALL, "tasks": 8}, "9 or more, 3 of each family, not 8"),
        ({"rows_per_task": 0}, "rows_per_task must be 1 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"noise": -0.1}, "noise must be 0 or more"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        make("functions", tmp_path / "t.csv", **options)
    assert not list(tmp_path.iterdir())
