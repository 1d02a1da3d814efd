"""What the benchmarks that meta-train share: tasks drawn fresh, decisions, figures that are kept."""

from __future__ import annotations

import dataclasses
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from omnishot.errors import DataError

ALL = ("sinusoids", "lines", "quadratics")


@pytest.fixture(scope="module")
def bench(script):
    names = {"functions": "functions", "letters": "mixed_letters", "sinusoid": "sinusoid", "studies": "studies"}
    return SimpleNamespace(**{name: script(f"studies/{module}") for name, module in names.items()})


@pytest.fixture
def study(bench):
    return bench.functions.Functions(ALL, tasks=3, width=(8,), steps=4, tuning_steps=2, episodes=4)


def same(a, b):
    return torch.equal(a.query.target, b.query.target) and torch.equal(a.support.target, b.support.target)


def test_every_step_has_functions_of_its_own_and_always_the_same(study):
    train, val = study.loaders()
    assert same(train.batch(3), train.batch(3))
    assert not same(train.batch(3), train.batch(4))
    assert not same(train.batch(3), val.batch(3))
    for batch, step in zip(train.stream(5, 7), (5, 6), strict=True):
        assert same(batch, train.batch(step))


def test_tasks_are_of_each_family_in_turn(study):
    batch = dataclasses.replace(study.loaders()[0], shard=(1, 3)).batch(0)  # the lines
    x, y = (t.double()[0, :, 0] for t in (batch.query.inputs["tabular"][:, :, 0], batch.query.target))
    slopes = (y[1:] - y[0]) / (x[1:] - x[0])
    assert slopes.std() < 1e-4
    assert same(batch, study.loaders()[0].batch(0).select(slice(1, 2)))


def test_fewer_shots_are_the_first_rows_of_the_same_tasks(bench, study):
    ten, five = (study.new(bench.functions.TEST, shots, 6) for shots in (10, 5))
    assert torch.equal(ten.query.target, five.query.target)
    assert torch.equal(ten.support.target[:, :5], five.support.target)
    assert len(five.support) == 5


@pytest.mark.parametrize("name", ["maml", "finetune", "cnp"])
def test_errors_are_those_of_adapting_to_one_task_after_the_other(bench, study, name):
    learner, batch = study.build(name, {}), study.new(bench.functions.TEST, 5, 4)
    alone = []
    for t in range(4):
        task = batch.task(t)
        answer = learner.answer(learner.adapt(task.support), task.query)
        alone.append(float((answer - task.query.target).square().mean()))
    np.testing.assert_allclose(bench.functions.errors(learner, batch), alone, rtol=1e-4)


def test_the_best_short_training_decides_and_the_training_is_kept(bench, study, tmp_path, monkeypatch):
    monkeypatch.setattr(bench.studies, "RATES", (0.003, 1e6))  # the second diverges
    learner, record = bench.studies.trained(study, "anil", {"inner_steps": 1}, tmp_path, minutes=0)
    tried = {json.loads(options)["inner_lr"]: error for options, error in record["trials"].items()}
    assert set(tried) == {0.003, 0.1, 1e6}
    finite = {rate: error for rate, error in tried.items() if error is not None}
    assert record["options"] == {"inner_steps": 1, "inner_lr": min(finite, key=finite.__getitem__)}
    assert record["steps"] == 4
    monkeypatch.setattr(bench.studies, "_decide", None)
    again, same_record = bench.studies.trained(study, "anil", {"inner_steps": 1}, tmp_path, minutes=0)
    assert same_record | {"seconds": 0} == record | {"seconds": 0}
    assert all(torch.equal(p, q) for p, q in zip(learner.parameters(), again.parameters(), strict=True))


def test_a_learner_that_always_diverges_is_an_error(bench, study, tmp_path, monkeypatch):
    monkeypatch.setattr(bench.functions.Functions, "error", lambda *_: float("nan"))
    with pytest.raises(DataError, match="every short training of anil diverged"):
        bench.studies.trained(study, "anil", {}, tmp_path, minutes=0)


def test_figures_of_another_study_are_not_mixed_in(bench, study, tmp_path):
    path = tmp_path / "f.json"
    bench.studies.Records(path, study).add("maml", {"steps": 4})
    records = bench.studies.Records(path, study)
    assert records.missing(["maml", "anil"], again=False) == ["anil"]
    assert records.missing(["maml", "anil"], again=True) == ["maml", "anil"]
    with pytest.raises(SystemExit, match="figures of another study"):
        bench.studies.Records(path, dataclasses.replace(study, steps=5))


@pytest.mark.parametrize(("last", "fulfilled"), [(0.2, "yes"), (0.7, r"\*\*no\*\*")])
def test_maml_is_judged_beside_the_better_joint_training(bench, last, fulfilled):
    def record(errors):
        return {"figures": [{"shots": 10, "adaptation_steps": s, "mean": e} for s, e in enumerate(errors)]}

    sinusoid = bench.sinusoid
    records = {
        sinusoid.PLAIN: record(np.linspace(3, last, 11)),
        sinusoid.PRETRAINED: record([3] * 11),
        sinusoid.JOINT: record([3] * 10 + [2]),
    }
    text = sinusoid.verdict(records)[1]
    assert f"after 10 it is {last / 2:.3f} of" in text
    assert re.search(rf"at most 0\.2: {fulfilled}", text)
    assert "1 to 10: yes" in text


def test_letters_are_mixed_task_by_task(bench, study):
    lines, quadratics = (
        dataclasses.replace(
            study.loaders()[0], families=(f,), shape=dataclasses.replace(study.loaders()[0].shape, tasks=2)
        )
        for f in ("lines", "quadratics")
    )
    mixed = bench.letters.Mixed((lines, quadratics))
    batch = mixed.batch(1)
    assert (mixed.shape.tasks, batch.tasks) == (4, 4)
    assert same(batch.select(slice(0, 2)), lines.batch(1))
    assert same(batch.select(slice(2, 4)), quadratics.batch(1))
    assert torch.equal(batch.query.inputs["tabular"][2:], quadratics.batch(1).query.inputs["tabular"])
