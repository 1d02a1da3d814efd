"""The study of learning from one input and recognising by another."""

from __future__ import annotations

import pytest
from support import tables


@pytest.fixture(scope="module")
def bench(script):
    return script("studies/crossmodal")


@pytest.fixture
def pair(bench, birds):
    return bench.Pair(birds, "species", "note", "photo")


@pytest.fixture
def study(bench):
    common = {name: value for name, value in tables.QUICK.items() if name not in ("steps", "tabular")}
    return bench.Transfer(steps=4, episodes=3, ways=2, queries=1, common=common | {"skip_bad": True})


def test_the_setting_that_validation_prefers_is_tested_once(bench, pair, study, tmp_path, monkeypatch):
    evaluated = []
    own = bench.Transfer.judged

    def judged(self, run, data, split, condition):
        evaluated.append((run.config.cross, split, condition))
        record = own(self, run, data, split, (*condition[:2], 1))
        return record | ({"mean": run.config.cross} if split == "val" else {})

    monkeypatch.setattr(bench.Transfer, "judged", judged)
    record = study.evaluate(pair, [{"cross": 0.25}, {"cross": 0.5}, {"cross": 0.0}], tmp_path)
    assert [a for a in evaluated if a[1] == "val"] == [(c, "val", (["note"], ["photo"], 1)) for c in (0.25, 0.5, 0.0)]
    assert [a for a in evaluated if a[1] == "test"] == [(0.5, "test", how) for how in pair.conditions().values()]
    assert record["options"] == {"cross": 0.5}
    assert record["steps"] == 4
    across, _, both, same = record["figures"].values()
    halves = [(f["support_inputs"], f["query_inputs"]) for f in (across, both, same)]
    assert halves == [(["note"], ["photo"]), ([], ["photo"]), (["photo"], ["photo"])]


def test_a_training_is_kept(bench, pair, study, tmp_path):
    first = study.trained(pair, {"cross": 1.0}, tmp_path / "run")
    log = (tmp_path / "run" / "metrics.jsonl").read_text()
    again = study.trained(pair, {"cross": 1.0}, tmp_path / "run")
    assert again.config == first.config
    assert again.config.inputs == {"text": tables.QUICK["text"], "image": tables.QUICK["image"]}
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == log


def test_the_table_has_a_line_for_each_method_in_order(bench, pair):
    figures = {name: {"mean": 0.1 * (i + 1), "ci95": 0.0123} for i, name in enumerate(pair.conditions())}
    record = {"figures": figures, "validation": {"{}": 0.25}}
    records = {
        "cca": record | {"options": {"learner": "cca", "principal": 16}},
        "plain": record | {"options": {}},
        "cross + infonce": record | {"options": {"cross": 0.5, "auxiliary": {"infonce": 0.3}}},
    }
    lines = bench.table(pair, records)
    assert "| note → photo, 1-shot | note → photo, 5-shot | both → photo, 1-shot |" in lines[0]
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| plain", "| cross + infonce", "| cca"]
    assert lines[2] == "| plain | 10.0 ± 1.2 | 20.0 ± 1.2 | 30.0 ± 1.2 | 40.0 ± 1.2 | – | 25.0 |"
    assert "| cross 0.5, infonce 0.3 | 25.0 |" in lines[3]
    assert "| principal 16 | 25.0 |" in lines[4]


def test_every_setting_is_a_valid_training(bench):
    from omnishot.experiment.options import from_options

    for settings in bench.METHODS.values():
        for options in settings:
            from_options(bench.COMMON | bench.PICTURE | options, {"picture": "image", "text": "text"})
