"""Learning from some inputs and recognising by others, as users meet it: train, evaluate, adapt."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from support import tables

import omnishot as om
from omnishot.analysis.explain.load_task import load_task
from omnishot.cli.main import main
from omnishot.episodes.shots import each_alone
from omnishot.errors import UsageError
from omnishot.learners.base import Learner
from omnishot.training.train import train

OPTIONS = {"target": "species", **tables.QUICK}


def conditions(result) -> set:
    return {(f.modalities, f.corruption.support_inputs, f.corruption.query_inputs) for f in result.figures}


def test_figures_name_the_inputs_of_support_and_query_rows(run):
    result = run.evaluate(episodes=3, support_inputs=["text"], query_inputs=["photo", "tabular"], save=False)
    assert conditions(result) == {(("photo", "note", "tabular"), ("note",), ("photo", "tabular"))}
    half = run.evaluate(episodes=3, query_inputs="photo", save=False)
    assert conditions(half) == {(("photo", "note", "tabular"), (), ("photo",))}
    both = run.evaluate(episodes=3, support_inputs=["photo"], query_inputs=["photo"], save=False)
    assert conditions(both) == {(("photo",), ("photo",), ("photo",))}
    alone = [f for f in run.evaluate(episodes=3, save=False).figures if f.modalities == ("photo",)]
    assert [(f.metric, f.mean) for f in both.figures] == [(f.metric, f.mean) for f in alone]


def test_an_input_that_is_not_there_is_refused_with_the_nearest(run, capsys):
    with pytest.raises(UsageError, match="no input 'phto': did you mean 'photo'"):
        run.evaluate(episodes=2, support_inputs=["phto"])
    assert main(["evaluate", str(run.folder), "--query-inputs", "phto", "--episodes", "2"]) == 2
    assert "did you mean 'photo'" in capsys.readouterr().err


def test_the_command_line_says_it_as_the_library_does(run, tmp_path, capsys):
    expected = run.evaluate(episodes=2, support_inputs=["text", "tabular"], query_inputs=["photo"], save=False)
    line = ["evaluate", str(run.folder), "--episodes", "2", "--support-inputs", "text,tabular"]
    assert main([*line, "--query-inputs", "photo"]) == 0
    out = capsys.readouterr().out
    assert "support rows of note+tabular only, query rows of photo only" in out
    assert f"accuracy {expected.mean:.4f}" in out


def test_training_tasks_are_crossed_and_those_of_validation(birds, tmp_path, monkeypatch):
    counts = []
    own = Learner.answer

    def answer(self, state, query):  # which training does not do, and validation does
        counts.append(query.present.sum(-1).max().item())
        return own(self, state, query)

    monkeypatch.setattr(Learner, "answer", answer)
    logged = []
    for cross in (0.0, 1.0, 1.0):
        counts.clear()
        run = train(birds, out=tmp_path / f"run-{len(logged)}", cross=cross, **OPTIONS)
        logged.append((run.folder / "metrics.jsonl").read_text())
        assert max(counts) == (1 if cross else 3)
    assert logged[0] != logged[1] == logged[2]
    losses = [[line for line in text.splitlines() if "loss" in line and "val" not in line] for text in logged[:2]]
    assert all(a != b for a, b in zip(*losses, strict=True))


@pytest.mark.parametrize("cross", [-0.1, 1.5])
def test_a_fraction_is_between_0_and_1(birds, tmp_path, cross):
    with pytest.raises(UsageError, match=f"cross must lie between 0 and 1, not {cross}"):
        train(birds, out=tmp_path / "run", cross=cross, **OPTIONS)


def test_one_input_cannot_be_crossed(birds, tmp_path):
    with pytest.raises(UsageError, match=r"cross=0\.5: .* has one input only, 'photo': leave cross out"):
        train(birds, out=tmp_path / "run", target="species", inputs=["photo"], cross=0.5, skip_bad=True)


def test_extra_shots_are_learned_from_wherever_a_task_is(birds, tmp_path, monkeypatch):
    run = train(birds, out=tmp_path / "run", extra_shots=True, **OPTIONS)
    rows, supports = pd.DataFrame(tables.read(birds)[-9:]), []
    rows["photo"] = [(birds.parent / path).read_bytes() if path else None for path in rows["photo"]]
    own = type(run.learner).fit

    def fit(self, params, support):
        supports.append(support)
        return own(self, params, support)

    monkeypatch.setattr(type(run.learner), "fit", fit)
    model = om.load(run.folder).adapt(rows)
    assert len(supports[0]) == 4 * len(rows)
    first = supports[0].select(slice(len(rows)))
    assert torch.equal(supports[0].present, each_alone(first).present)
    saved = om.load(model.save(tmp_path / "birds.omni"))
    assert np.array_equal(saved.predict(rows), model.predict(rows))
    run.evaluate(episodes=2, shots=1, subsets=False, save=False)
    assert {len(support) for support in supports[1:]} == {4 * run.evaluate(episodes=2, save=False).figures[0].ways}


def test_a_model_with_extra_shots_is_explained_by_the_rows_that_it_was_adapted_to(birds, tmp_path):
    run = train(birds, out=tmp_path / "run", extra_shots=True, **OPTIONS)
    rows = pd.DataFrame(tables.read(birds)[-9:])
    rows["photo"] = [(birds.parent / path).read_bytes() if path else None for path in rows["photo"]]
    task = load_task(run.adapt(rows), rows, rows)  # which refuses other rows than those
    assert task.support is not None
    assert len(task.support.rows) == len(rows)
