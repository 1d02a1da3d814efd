"""Fixtures of runs for tests of pages: tables whose texts look like HTML, and numbers."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from support import tables
from support.pages import CLASS, WORDS

from omnishot.runs.run import Run
from omnishot.training.train import train


@pytest.fixture(scope="session")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A MAML run on pictures, sounds, series, texts and numbers, one cell missing; evaluated."""
    folder = tmp_path_factory.mktemp("every-kind")
    rng = np.random.default_rng(0)
    rows = []
    for kind in range(6):
        for i in range(4):
            tables.picture(folder / f"{kind}-{i}.png", kind, rng)
            soundfile.write(folder / f"{kind}-{i}.wav", rng.normal(0, 0.1, 400), 4000)
            np.save(folder / f"{kind}-{i}.npy", rng.normal(size=(8, 2)))
            rows.append({
                "photo": f"{kind}-{i}.png", "call <i>": f"{kind}-{i}.wav", "track": "" if i == 1 else f"{kind}-{i}.npy",
                "words": f"{WORDS} {kind} {i}", "weight": f"{kind + rng.normal():.3f}", "name": f"{CLASS}{kind}",
                "split": ("train", "val", "test")[kind // 2],
            })  # fmt: skip
    table = tables.write(folder / "every.csv", rows)
    options = tables.QUICK | {"learner": "maml", "inner_steps": 1, "queries": 2, "steps": 4, "val_every": 2}
    options |= {"audio": {"width": 4}, "series": {"width": 4}, "modality": {"words": "text"}}
    run = train(table, target="name", out=folder / "run<b>", **options)
    run.evaluate(episodes=4)
    return run


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that predicts a number, grouped, from a single input."""
    folder = tmp_path_factory.mktemp("numbers")
    rng = np.random.default_rng(0)
    rows = [
        {"x": f"{x:.3f}", "y": f"{group * x:.3f}", "sensor": f"s{group}"}
        for group in range(8)
        for x in rng.normal(size=8)
    ]
    options = tables.QUICK | {"learner": "maml", "inner_steps": 1, "shots": 3, "queries": 4}
    del options["image"], options["text"]
    table = tables.write(folder / "numbers.csv", rows)
    return train(table, target="y", group="sensor", out=folder / "run", **options)
