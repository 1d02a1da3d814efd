"""Model selection: the best checkpoint by validation tasks that training never draws."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import tables

from omnishot.episodes.loader import Loader
from omnishot.training.train import train
from omnishot.worlds import make


@pytest.mark.parametrize(("target", "metric", "best"), [("species", "val_accuracy", max), ("y", "val_mae", min)])
def test_the_best_validation_figure_is_kept(birds: Path, tmp_path: Path, target: str, metric: str, best) -> None:
    options = {**tables.QUICK, "target": target, "steps": 8, "val_every": 1, "lr": 0.05}
    table = birds
    if target == "y":
        table = make("functions", tmp_path / "functions.csv", tasks=20, rows_per_task=10)
        options = {"steps": 8, "val_every": 1, "lr": 0.05, "val_episodes": 4, "group": "task", "target": "y"}
    run = train(table, out=tmp_path / "run", **options)
    assert f"val_{run.learner.objective.metric}" == metric
    records = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    figures = {r["step"]: r[metric] for r in records if metric in r and "tuned" not in r}
    assert len(set(figures.values())) > 1  # else any step would do
    summary = run.summary()
    assert summary["best"] == best(figures.values())
    assert summary["best_step"] == next(step for step, value in figures.items() if value == summary["best"])


def test_validation_tasks_are_of_another_seed_than_training_tasks(birds: Path, tmp_path: Path, monkeypatch) -> None:
    own = Loader.batch
    seeds: dict[int, set[int]] = {}

    def batch(self: Loader, step: int):
        seeds.setdefault(id(self.source), set()).add(self.seed)
        sources.append(self.source)  # kept alive, so that no other takes its place in memory
        return own(self, step)

    sources: list[object] = []
    monkeypatch.setattr(Loader, "batch", batch)
    train(birds, target="species", out=tmp_path / "run", **tables.QUICK)
    training, validation = seeds.values()
    assert not training & validation
