"""Figures before adapting, beside those after it on the same tasks."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from support import tables

import omnishot as om
from omnishot.cli.main import main
from omnishot.errors import UsageError
from omnishot.evaluation.figure import Figure
from omnishot.runs.run import Run


@pytest.fixture(scope="module")
def lines(tmp_path_factory) -> Path:
    """Numbers y = slope·x, each group with a slope of its own."""
    rng, rows = np.random.default_rng(0), []
    for who in range(9):
        slope = rng.normal()
        for x in rng.uniform(-1, 1, 12):
            rows.append({"x": f"{x:.4f}", "y": f"{3 * slope * x:.4f}", "who": f"g{who}"})
    return tables.write(tmp_path_factory.mktemp("lines") / "lines.csv", rows)


@pytest.fixture(scope="module")
def run(lines, tmp_path_factory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "maml"
    return om.train(
        lines,
        target="y",
        group="who",
        objective="regress",
        out=out,
        steps=60,
        shots=5,
        queries=5,
        val_episodes=5,
        lr=1e-2,
    )


def test_adapting_differs_from_not_adapting(run):
    after, before = (run.evaluate(episodes=20, adapted=adapted) for adapted in (True, False))
    assert not any(f.adapted for f in before.figures)
    assert all(f.adapted for f in after.figures)
    assert before.figures[0].metric == after.figures[0].metric
    assert before.mean > 1.2 * after.mean  # an error
    assert "before adapting" in str(before)
    assert "before adapting" not in str(after)
    kept = run.figures()
    assert {f.adapted for f in kept} == {True, False}  # neither took the other's place
    assert before.figures[0] in kept
    assert after.figures[0] in kept


def test_the_support_rows_are_not_used(run):
    """The same query rows whatever the support rows are: those of two shots are others than those of five."""
    tasks = {"queries": 3, "episodes": 8, "save": False, "adapted": False}
    plain, corrupted = (run.evaluate(missing=m, missing_in="support", **tasks) for m in (None, {"*": 1.0}))
    assert plain.mean == corrupted.mean
    tasks["adapted"] = True
    plain, corrupted = (run.evaluate(missing=m, missing_in="support", **tasks) for m in (None, {"*": 1.0}))
    assert plain.mean != corrupted.mean


def test_the_command(run, capsys):
    assert main(["evaluate", str(run.folder), "--episodes", "4", "--unadapted", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {figure["adapted"] for figure in printed} == {False}
    expected = run.evaluate(episodes=4, adapted=False, save=False)
    assert [figure["mean"] for figure in printed] == [figure.mean for figure in expected.figures]


@pytest.mark.parametrize("more", [{"open_set": 1}, {"new": ["z"]}])
def test_what_belongs_to_adapting_is_refused(run, more):
    with pytest.raises(UsageError, match=f"{next(iter(more))} needs tasks that are adapted to"):
        run.evaluate(episodes=4, adapted=False, **more)


def test_a_learner_without_a_start_says_so(birds, tmp_path):
    protonet = om.train(birds, target="species", out=tmp_path / "run", **tables.QUICK)
    with pytest.raises(
        UsageError, match="'protonet' predicts from the support rows: there is no figure before adapting"
    ):
        protonet.evaluate(ways=2, shots=1, queries=1, episodes=4, adapted=False)


def test_figures_of_before_are_read():
    figure = Figure("loss", 0.5, 0.1, 600, "maml", "attention", ("x",), None, 5, 15)
    record = {name: value for name, value in figure.to_json().items() if name != "adapted"}
    assert Figure.from_json(record) == figure
    before = dataclasses.replace(figure, adapted=False)
    assert Figure.from_json(json.loads(json.dumps(before.to_json()))) == before
