from __future__ import annotations

import json

import pytest

from omnishot.errors import UsageError
from omnishot.report import curves, missing_curve, steps_curve
from omnishot.report.curves import stored
from omnishot.runs.run import Run


def test_points_at_the_runs_own_settings_are_its_evaluation(every_kind: Run) -> None:
    """The same tasks, the same learner: the same figure, to the last bit."""
    main = every_kind.evaluate(episodes=4, save=False).figures[0]
    assert main.metric == "accuracy"
    steps = {point.at: point.figure for point in steps_curve(every_kind, (0, 3), episodes=4)}
    assert list(steps) == [0, 1, 3]  # its own single step is included
    missing = {point.at: point.figure for point in missing_curve(every_kind, (0.0, 0.5), episodes=4)}
    half = next(f for f in every_kind.figures() if f.corruption.missing and f.metric == "accuracy")
    for figure, expected in ((steps[1], main), (missing[0.0], main), (missing[0.5], half)):
        assert figure.to_json() | {"seconds": 0} == expected.to_json() | {"seconds": 0}


def test_steps_are_really_taken_and_the_learner_is_left_as_it_was(numbers: Run) -> None:
    points = steps_curve(numbers, (0, 1, 20), episodes=4)
    assert len({point.figure.mean for point in points}) == 3
    assert numbers.learner.inner_steps == 1


def test_where_there_is_nothing_to_vary(run: Run, numbers: Run) -> None:
    assert steps_curve(run, episodes=2) == []  # prototypes take no steps
    assert missing_curve(numbers, episodes=2) == []  # a single input


def test_no_fraction_that_would_empty_rows(run: Run) -> None:
    assert len(run.learner.network.modalities) == 3
    assert [point.at for point in missing_curve(run, (0.0, 0.65, 0.7, 1.0), episodes=2)] == [0.0, 0.65]


def test_curves_are_kept(copied: Run) -> None:
    assert stored(copied) == {}
    points = curves(copied.folder, episodes=2)
    assert stored(copied) == points
    record = json.loads((copied.folder / "curves.json").read_text())["missing"][1]["figure"]
    assert {"metric", "mean", "ci95", "episodes", "seed", "split", "missing"} <= record.keys()
    assert record["missing"] == {"*": 0.25}


def test_one_episode_gives_no_interval(run: Run) -> None:
    with pytest.raises(UsageError, match="at least 2"):
        missing_curve(run, episodes=1)
