"""The study of inputs that arrive at adaptation."""

from __future__ import annotations

import pytest
from support import tables


@pytest.fixture
def bench(script, monkeypatch):
    new_modality = script("studies/new_modality")
    monkeypatch.setattr(new_modality, "TARGET", "species")
    monkeypatch.setattr(new_modality, "INPUTS", {"photo": "image", "note": "text"})
    common = {
        name: value for name, value in tables.QUICK.items() if name in ("learner", "tasks", "val_episodes", "text")
    }
    monkeypatch.setattr(new_modality, "COMMON", common | {"shots": 1, "queries": 1})
    return new_modality


def test_an_input_is_left_out_of_training_and_met_at_adaptation(bench, birds, tmp_path):
    study = bench.NewInput(steps=2, episodes=3, shots=(1, 2), queries=1, ways=2)
    run = study.trained(birds, "photo", tmp_path / "run")
    assert list(run.learner.network.modalities) == ["note"]
    log = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert study.trained(birds, "photo", tmp_path / "run").config == run.config
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == log
    record = study.evaluate(run, "photo")
    figures = {(f["metric"], tuple(f["new"]), f["shots"]): f for f in record["figures"]}
    assert len(figures) == 6
    for shots in (1, 2):
        with_it, without = figures["accuracy", ("photo",), shots], figures["accuracy", (), shots]
        improvement = figures["accuracy_improvement", ("photo",), shots]
        assert improvement["mean"] == pytest.approx(with_it["mean"] - without["mean"])
        assert {f["split"] for f in (with_it, without, improvement)} == {"test"}
    lines = bench.table({"photo": record}, study.shots)
    assert len(lines) == 4
    assert lines[2].startswith(f"| photo | 1 | {figures['accuracy', (), 1]['mean']:.3f} ± ")


def test_a_loss_is_shown_with_its_sign(bench):
    figures = [
        {"metric": "accuracy", "new": [], "shots": 1, "mean": 0.5, "ci95": 0.1},
        {"metric": "accuracy", "new": ["photo"], "shots": 1, "mean": 0.4, "ci95": 0.1},
        {"metric": "accuracy_improvement", "new": ["photo"], "shots": 1, "mean": -0.1, "ci95": 0.02},
    ]
    line = bench.table({"photo": {"figures": figures}}, (1,))[-1]
    assert line == "| photo | 1 | 0.500 ± 0.100 | 0.400 ± 0.100 | -0.100 ± 0.020 |"
