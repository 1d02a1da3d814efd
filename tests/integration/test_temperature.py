"""The temperature of a run: fitted once on validation tasks, kept with checkpoints and models, and printed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import tables

import omnishot as om
from omnishot.cli.main import main
from omnishot.core.storage import pack, read_tensors
from omnishot.evaluation.evaluator import Evaluator
from omnishot.objectives.calibration import fit_temperature
from omnishot.objectives.classify import Classify
from omnishot.runs.checkpoint import CHECKPOINT
from omnishot.runs.run import Run
from omnishot.training.selection import Selection
from omnishot.training.task_loaders import task_loaders
from omnishot.training.train import train


@pytest.fixture
def quick(birds: Path, tmp_path: Path) -> Callable[..., Run]:
    """Trains on the birds for a moment; `out` is a name."""

    def call(out: str = "run", **options: Any) -> Run:
        return train(birds, out=tmp_path / out, **{"target": "species", **tables.QUICK, **options})

    return call


def records(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]


def best(run: Run) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return read_tensors(run.folder / "best" / CHECKPOINT)


def temperature(learner: Any) -> float:
    assert isinstance(learner.objective, Classify)
    return learner.objective.temperature


def test_it_is_the_likeliest_on_the_validation_tasks_at_the_best_parameters(run):
    loader = task_loaders(run.dataset(), run.config).val
    predictions = Evaluator(run.learner, loader, run.config.val_episodes).arrays()
    assert temperature(run.learner) == fit_temperature(predictions) != 1
    figures = run.learner.objective.aggregate(predictions)
    tuned = [r for r in records(run) if "tuned" in r]
    assert tuned == [
        {"step": 6, "tuned": "temperature", "value": temperature(run.learner)}
        | {f"val_{name}": value for name, (value, _) in figures.items()}
    ]
    assert run.summary()["tuned"] == {"temperature": temperature(run.learner)}


def test_checkpoints_and_models_carry_it(run, birds, tmp_path):
    again = Run.load(run.folder)
    assert temperature(again.learner) == temperature(run.learner)
    model = again.adapt(birds)
    loaded = om.load(model.save(tmp_path / "birds.omni"))
    assert temperature(loaded.learner) == temperature(run.learner)
    p = model.predict_proba(birds)
    assert np.array_equal(loaded.predict_proba(birds), p)
    model.learner.objective = Classify()
    plain = model.predict_proba(birds)
    power = plain ** (1 / temperature(run.learner))
    assert np.allclose(p, power / power.sum(1, keepdims=True), atol=1e-9)
    assert np.array_equal(model.predict(birds), loaded.predict(birds))


def test_neither_training_nor_the_choice_of_the_best_step_knows_of_it(quick, monkeypatch):
    whole = quick("with", val_every=2)
    monkeypatch.setattr(Classify, "fitted", ())
    plain = quick("without", val_every=2)
    assert temperature(plain.learner) == 1
    assert [r for r in records(whole) if "tuned" not in r] == records(plain)
    assert all(torch.equal(a, b) for a, b in zip(best(whole)[0].values(), best(plain)[0].values(), strict=True))


def test_evaluation_gives_calibration_with_it_and_without_and_the_same_accuracy(run, monkeypatch):
    monkeypatch.setattr(run.learner, "objective", run.learner.objective)  # put back at the end
    with_it = run.evaluate(episodes=20, subsets=False, save=False).metrics
    run.learner.objective = Classify()
    without = run.evaluate(episodes=20, subsets=False, save=False).metrics
    assert with_it["accuracy"] == without["accuracy"]
    assert with_it["calibration_error_raw"] == without["calibration_error"] == without["calibration_error_raw"]
    assert with_it["calibration_error"] != without["calibration_error"]
    assert with_it["loss"] != without["loss"]


def test_a_finished_run_that_is_resumed_repeats_it(quick, birds, monkeypatch):
    run = quick()
    before = records(run), best(run)[1]
    monkeypatch.setattr(Selection, "_calibrate", lambda *a: pytest.fail("fitted again"))
    again = train(birds, out=run.folder, resume=True)
    assert temperature(again.learner) == temperature(run.learner)
    assert (records(again), best(again)[1]) == before


def test_a_run_cut_off_before_it_is_kept_fits_it_when_resumed(quick, birds, monkeypatch):
    whole = quick("whole")
    own = Selection._calibrate

    def cut_off(*args: Any) -> Any:
        own(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(Selection, "_calibrate", cut_off)
    with pytest.raises(KeyboardInterrupt):
        quick("stopped")
    monkeypatch.setattr(Selection, "_calibrate", own)
    resumed = train(birds, out=whole.folder.parent / "stopped", resume=True)
    assert temperature(resumed.learner) == temperature(whole.learner)
    assert records(resumed) == records(whole)


def test_checkpoints_from_before_there_was_one_have_1(quick):
    run = quick()
    tensors, about = best(run)
    about = {name: value for name, value in about.items() if name not in ("tuned", "objective")}
    (run.folder / "best" / CHECKPOINT).write_bytes(pack(tensors, about))
    assert temperature(Run.load(run.folder).learner) == 1
    assert Run.load(run.folder).summary()["tuned"] == {}


def test_without_validation_tasks_it_stays_1(birds, tmp_path):
    rows = [row for row in tables.read(birds) if row["species"] in tables.SPECIES[:4]]
    table = tables.write(birds.parent / "four_species.csv", rows)
    run = train(table, target="species", out=tmp_path / "none", **tables.QUICK)
    assert "val" not in run.record.rows or not run.record.rows["val"]
    assert temperature(run.learner) == 1
    assert not any("tuned" in r for r in records(run))


@pytest.mark.parametrize("learner", ["scratch", "centroid", "logreg"])
def test_learners_without_training_have_one_too(quick, learner):
    run = quick(learner=learner)
    assert 0 < temperature(run.learner) < math.inf
    assert temperature(run.learner) != 1
    assert temperature(Run.load(run.folder).learner) == temperature(run.learner)


def test_numbers_have_none(tmp_path):
    rows = [{"x": float(i), "who": f"w{i % 6}", "y": float(i % 7)} for i in range(60)]
    options = tables.QUICK | {"learner": "maml", "tabular": {"width": 4}}
    options = {name: value for name, value in options.items() if name not in ("image", "text")}
    run = train(rows, target="y", group="who", objective="regress", out=tmp_path / "numbers", **options)
    assert run.record.rows["val"]
    assert run.summary()["tuned"] == {}


def test_train_tells_it(birds, tmp_path, capsys):
    options = ["--steps", "2", "--tasks", "1", "--val-episodes", "2", "--dim", "8", "--image.size", "16"]
    assert main(["train", str(birds), "--target", "species", "--out", str(tmp_path / "run"), *options]) == 0
    fitted = Run.load(tmp_path / "run").summary()["tuned"]["temperature"]
    assert f"chosen on the validation tasks: temperature {fitted:.3g}" in capsys.readouterr().err


def test_figures_of_training_are_at_1(run, monkeypatch):
    loader = task_loaders(run.dataset(), run.config).val
    monkeypatch.setattr(run.learner, "objective", Classify())
    figures = Evaluator(run.learner, loader, run.config.val_episodes).results()
    last = [r for r in records(run) if r["step"] == run.summary()["best_step"] and "val_loss" in r]
    assert last[0]["val_loss"] == pytest.approx(figures["loss"][0], abs=1e-12)
