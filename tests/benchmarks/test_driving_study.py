"""The study of vehicles never seen."""

from __future__ import annotations

import numpy as np
import pytest
from support import tables

from omnishot.worlds import make

TINY = {
    "target": "steering,collision", "group": "vehicle", "shots": [1, 2], "queries": 2, "tasks": 2, "val_episodes": 2,
    "dropout": 0.2, "dim": 8, "camera": {"width": 4, "blocks": 2, "size": 12}, "series": {"width": 4, "blocks": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def bench(script):
    return script("studies/driving")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make("driving", tmp_path_factory.mktemp("drives") / "drives.csv", vehicles=10, rows_per_vehicle=5)


@pytest.fixture
def study(bench):
    return bench.Driving(steps=2, episodes=5, shots=(1, 2), common=TINY)


def shown(record, condition, metric):
    return {(f["shots"], f["adapted"]): f for f in record["figures"][condition] if f["metric"] == metric}


def test_sensors_are_dead_in_turn_and_validation_chooses_the_settings(bench, study, world, tmp_path):
    record = study.evaluate(world, "maml", tmp_path / "maml")
    assert record["steps"] == 2
    assert record["vehicles"] == {"train": 7, "val": 1, "test": 2}
    assert record["options"]["inner_steps"] == min(
        (1, 2, 5, 10), key=lambda steps: record["settings"][f'{{"inner_steps": {steps}}}']
    )
    assert list(record["figures"]) == ["all sensors", "camera dead", "radar dead", "motion dead"]
    for condition in record["figures"]:
        figures = shown(record, condition, "mae_1")
        assert set(figures) == {(1, True), (2, True), (2, False)}
        assert {f["episodes"] for f in figures.values()} == {5}
        assert {tuple(f["missing"]) for f in figures.values()} == {tuple(condition.split()[:1] * ("dead" in condition))}
        assert len({f["mean"] for f in figures.values()}) == 3
    lines = bench.table({"maml": record}, study.shots)
    rows = [line.split(" | ")[:2] for line in lines if "±" in line]
    assert rows == [["| constant", "0"], ["| constant", "1"], ["| constant", "2"],
                    ["| maml", "0"], ["| maml", "1"], ["| maml", "2"]] * 2  # fmt: skip
    first = shown(record, "all sensors", "mae_1")[1, True]
    assert lines[6].split(" | ")[2] == f"{first['mean']:.2f} ± {first['ci95']:.2f}"
    again = study.trained(world, {"learner": "finetune"}, tmp_path / "maml")
    assert again.config.learner == "maml"  # the run is gone on with


def test_what_has_nothing_to_say_before_adapting_has_no_such_line(bench, study, world, tmp_path):
    record = study.evaluate(world, "r2d2", tmp_path / "r2d2")
    assert record["settings"] == {}
    assert set(shown(record, "radar dead", "mae_2")) == {(1, True), (2, True)}
    assert sum("| r2d2 | 0 |" in line for line in bench.table({"r2d2": record}, study.shots)) == 0


def test_the_constant_is_the_mean_of_the_labelled_rows(bench, study, world, tmp_path):
    run = study.trained(world, bench.METHODS["r2d2"], tmp_path / "run")
    figures = bench.dataclasses.replace(study, shots=(1,), episodes=200).constant(run, run.dataset())
    rows = tables.read(world)
    test = {v: [] for v in {row["vehicle"] for row in rows if row["split"] == "test"}}
    train = [float(row["steering"]) for row in rows if row["split"] == "train"]
    for row in rows:
        if row["vehicle"] in test:
            test[row["vehicle"]].append(float(row["steering"]))
    apart = [abs(a - b) for own in test.values() for i, a in enumerate(own) for j, b in enumerate(own) if i != j]
    alone = [abs(a - np.mean(train)) for own in test.values() for a in own]
    assert figures["1"][0][0] == pytest.approx(np.mean(apart), rel=0.2)
    assert figures["0"][0][0] == pytest.approx(np.mean(alone), rel=0.2)


def test_figures_of_another_study_are_not_mixed_in(bench, study, tmp_path):
    path = tmp_path / "driving.json"
    bench.keep(path, study, "maml", {"steps": 2})
    bench.keep(path, study, "r2d2", {"steps": 3})
    assert bench.kept(path, study) == {"maml": {"steps": 2}, "r2d2": {"steps": 3}}
    with pytest.raises(SystemExit, match="figures of another study"):
        bench.kept(path, bench.dataclasses.replace(study, steps=5))
