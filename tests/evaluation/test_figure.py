from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.episodes.corruption import Corruption
from omnishot.evaluation.evaluator import Evaluator
from omnishot.evaluation.figure import Evaluation, Figure, interval

FIGURE = Figure("accuracy", 0.5, 0.1, 600, "maml", "attention", ("photo", "note"), 5, 1, 15)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_the_interval_is_of_the_mean(values):
    mean, half = interval(values)
    assert mean == pytest.approx(np.mean(values), abs=1e-6)
    assert half == pytest.approx(1.96 * np.std(values, ddof=1) / math.sqrt(len(values)), rel=1e-4, abs=1e-9)


def test_the_interval_of_coin_tosses_covers_the_truth_95_times_of_100():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        mean, half = interval(rng.normal(3.0, 2.0, size=200))
        covered += abs(mean - 3.0) <= half
    assert 0.93 < covered / 2000 < 0.97


def test_one_episode_has_no_interval():
    assert interval([0.5]) == (0.5, math.inf)


def test_a_figure_survives_json():
    assert Figure.from_json(FIGURE.to_json()) == FIGURE
    assert FIGURE.to_json()["modalities"] == ["photo", "note"]


def test_figures_of_before_tasks_across_inputs_are_read():
    record = {name: value for name, value in FIGURE.to_json().items() if not name.endswith("_inputs")}
    assert Figure.from_json(record) == FIGURE
    across = dataclasses.replace(FIGURE, corruption=Corruption(support_inputs=("note",), query_inputs=("photo",)))
    assert Figure.from_json(json.loads(json.dumps(across.to_json()))) == across
    assert "photo+note, support rows of note only, query rows of photo only" in str(across)


def test_a_figure_tells_people_all_that_it_depends_on():
    done = Corruption(missing={"*": 0.5}, noise={"photo": 0.2})
    shown = str(dataclasses.replace(FIGURE, transductive=True, corruption=done, seed=3))
    parts = ["accuracy 0.5000 ± 0.1000", "maml", "photo+note", "half of all cells missing", "noise 0.2 on photo"]
    for part in (*parts, "5-way", "1-shot", "600 test episodes", "seed 3", "transductive"):
        assert part in shown, part


def test_the_first_figure_is_the_main_one_and_metrics_are_of_its_condition():
    other = dataclasses.replace(FIGURE, metric="loss", mean=2.0)
    alone = dataclasses.replace(FIGURE, modalities=("photo",), mean=0.3)
    found = Evaluation((FIGURE, other, alone))
    assert (found.mean, found.ci95) == (0.5, 0.1)
    assert found.metrics == {"accuracy": 0.5, "loss": 2.0}
    assert str(found) == "\n".join(map(str, found.figures))
    crowded = Evaluation((*found.figures, dataclasses.replace(other, modalities=("photo",))))
    assert str(crowded) == str(found)  # of other conditions the main metric is said
    assert found.to_json() == [f.to_json() for f in (FIGURE, other, alone)]


@pytest.mark.parametrize("episodes", [1, 2, 3, 5])
def test_as_many_episodes_are_scored_as_asked_for(run, episodes, monkeypatch):
    from omnishot.episodes.loader import Loader, Shape

    data = run.dataset()
    tasks = data.tasks("test", 1)
    loader = Loader(data.store, tasks.source, Shape(2, 2, 1, tasks.queries), seed=4)
    seen = []
    own = run.learner.objective.metrics

    def metrics(prediction, rows):
        seen.append(own(prediction, rows)["accuracy"])
        return own(prediction, rows)

    monkeypatch.setattr(run.learner.objective, "metrics", metrics)
    found = Evaluator(run.learner, loader, episodes).results()
    assert len(seen) == episodes
    assert next(iter(found)) == "accuracy"
    assert found["accuracy"] == interval(seen)
