"""The study of matching sentences about scenes."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from omnishot.episodes.loader import Loader


@pytest.fixture(scope="module")
def bench(script):
    return script("studies/matching")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("scenes") / "scenes.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["caption", "concept", "split", "_scene"])
        for i in range(60):
            part, colour, shape = (
                ("train", "val", "test")[i % 3],
                rng.choice(["red", "blue"]),
                rng.choice(["cross", "disc"]),
            )
            thing = {"colour": colour, "shape": shape, "texture": "plain", "size": "big"}
            sentences = [f"picture {i} has a {colour} {shape}", f"a {shape} that is {colour} in picture {i}"]
            table.writerow([json.dumps(sentences), f"{part} {i % 12}", part, json.dumps({"things": [thing]})])
    return path


def test_scenes_are_alike_as_their_things_are_paired_best(bench):
    red = {"colour": "red", "shape": "disc", "texture": "plain", "size": "big"}
    blue = red | {"colour": "blue", "shape": "cross"}
    assert bench.alike([red, blue], [blue, red]) == 5
    assert bench.alike([red], [blue]) == 1 + 4 * 2 / 4
    assert bench.alike([red], [red, blue]) == 1 + 4 / 2


def test_both_methods_learn_the_same_tasks_from_the_same_pairs(bench, scenes, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "PAIRS", {"train": 80, "val": 60, "test": 90})
    source = bench.pairs(scenes, tmp_path / "pairs.csv")
    rows = list(csv.DictReader(source.open()))
    assert {row["relation"] for row in rows} == {"same picture", "another picture"}
    assert all(row["similarity"] == "5.0" for row in rows if row["relation"] == "same picture")
    drawn = []
    own = Loader.batch
    monkeypatch.setattr(Loader, "batch", lambda self, step: drawn.append(self.rows(step)) or own(self, step))
    for target, options in (("similarity", {"learner": "anil", "shots": 8}), ("relation", {"shots": 4, "queries": 2})):
        run = bench.trained(source, target, options | {"text": {"width": 8, "heads": 2}}, 2, tmp_path / target)
        data = run.dataset()
        drawn.clear()
        assert set(bench.evaluate(run, data, target, 9)) == set(bench.FIGURES[target])
        tasks = [task for draw in drawn for task in zip(draw.support, draw.query, strict=True)][:9]
        for one, other in zip(tasks, bench.tasks(run, data, 9), strict=True):
            assert all(np.array_equal(*halves) for halves in zip(one, other, strict=True))
        assert set(bench.baseline(run, data, target, 9)) == set(bench.FIGURES[target])
