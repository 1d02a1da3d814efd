"""The study of finding rows by another of their inputs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support import tables

from omnishot.worlds import make


@pytest.fixture(scope="module")
def bench(script):
    return script("studies/retrieval")


@pytest.fixture
def world(bench, birds):
    options = {name: value for name, value in tables.QUICK.items() if name not in ("steps", "tabular")}
    return bench.World(birds, ("photo", "note"), options | {"target": "species", "skip_bad": True}, right="row")


def test_the_setting_that_validation_prefers_is_tested_once(bench, world, tmp_path, monkeypatch):
    evaluated = []
    own = bench.Retrieval.judged

    def judged(self, run, world, split):
        evaluated.append((run.config.dropout, split))
        records = own(self, run, world, "train")
        for record in records:  # validation prefers 0.25
            record["mean"] = 1 - abs(run.config.dropout - 0.25) if split == "val" else record["mean"]
        return records

    monkeypatch.setattr(bench.Retrieval, "judged", judged)
    study = bench.Retrieval(steps=3, episodes=4, gallery=3)
    record = study.evaluate(world, [{"dropout": fraction} for fraction in (0.0, 0.25, 0.5)], tmp_path)
    assert evaluated == [(0.0, "val"), (0.25, "val"), (0.5, "val"), (0.25, "test")]
    assert record["options"] == {"dropout": 0.25}
    assert record["steps"] == 3
    assert record["validation"] == {'{"dropout": 0.0}': 0.75, '{"dropout": 0.25}': 1.0, '{"dropout": 0.5}': 0.75}
    assert {(f["gallery"], f["episodes"]) for f in record["figures"]} == {(3, 4)}
    lines = bench.table(world.inputs, {"plain": record})
    assert lines[0] == "| trained | found | R@1 | R@5 | R@10 | median rank |"
    assert [line.split(" | ")[:2] for line in lines[2:]] == [
        ["| plain", "note → photo"], ["| plain", "photo → note"],
        ["| chance", "note → photo"], ["| chance", "photo → note"],
    ]  # fmt: skip
    assert lines[-1] == "| chance | photo → note | 33.3 | 100.0 | 100.0 | 2 |"


def test_cca_has_classes_and_is_evaluated_on_the_same_rows(bench, world, tmp_path):
    world = bench.dataclasses.replace(world, cca={"ways": 2})
    run = bench.Retrieval(3, 4).trained(world, {"learner": "cca", "principal": 4}, tmp_path / "run")
    assert (run.config.learner, run.config.ways) == ("cca", 2)
    log = (tmp_path / "run" / "config.toml").read_text()
    assert bench.Retrieval(3, 4).trained(world, {"learner": "cca"}, tmp_path / "run").config == run.config
    assert (tmp_path / "run" / "config.toml").read_text() == log


def test_scenes_become_pairs_of_a_picture_and_a_sentence(bench, tmp_path):
    make("scenes", tmp_path / "scenes.csv", concepts=12, pictures=2, sentences=2, size=24)
    known = bench.worlds(tmp_path, glyphs=tmp_path / "scenes.csv")  # which is not looked at
    rows, scenes = tables.read(known["scenes"].table), tables.read(tmp_path / "scenes.csv")
    assert len(rows) == len(scenes) == 24
    for row, scene in zip(rows, scenes, strict=True):
        assert row["caption"] == json.loads(scene["caption"])[0]
        assert int(row["things"]) == len(json.loads(scene["_scene"])["things"])
        assert (tmp_path / row["image"]).read_bytes() == (tmp_path / scene["image"]).read_bytes()
        assert (row["concept"], row["split"]) == (scene["concept"], scene["split"])


def test_every_setting_is_a_valid_training(bench, tmp_path):
    from omnishot.experiment.options import from_options

    (tmp_path / "g.csv").touch()
    (tmp_path / "pairs.csv").touch()
    known = bench.worlds(tmp_path, glyphs=tmp_path / "g.csv", scenes=tmp_path / "g.csv")
    for world in known.values():
        kinds = dict(zip(world.inputs, ("image", "text"), strict=True))
        for settings in bench.METHODS.values():
            for options in settings:
                own = bench.COMMON | dict(world.options) | (world.cca if options.get("learner") == "cca" else {})
                config = {n: v for n, v in (own | options).items() if n not in ("target", "group", "objective")}
                assert from_options(config, kinds).shots in (1, 10)


def test_settings_are_chosen_by_both_directions(bench):
    figures = [
        {"metric": f"recall_at_10_{a}_to_{b}", "mean": mean} for a, b, mean in (("x", "y", 0.4), ("y", "x", 0.2))
    ]
    figures += [{"metric": "recall_at_1_x_to_y", "mean": 9.0}]
    assert bench.score(figures, ("x", "y")) == pytest.approx(np.mean([0.4, 0.2]))
