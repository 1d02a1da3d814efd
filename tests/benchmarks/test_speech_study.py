"""The study of unseen voices: what it trains, chooses, measures, keeps and says."""

from __future__ import annotations

import json

import pytest
from support import tones


@pytest.fixture(scope="module")
def bench(script):
    return script("studies/speech")


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    return tones.table(tmp_path_factory.mktemp("spoken"), tones.TEXTS)


def test_texts_are_evaluated_before_and_after_with_the_validated_settings(bench, spoken, tmp_path):
    common = tones.SMALL | {"target": "text", "audio": tones.SHORT}
    both = [{"adapted": adapted, "queries": 2} for adapted in (False, True)]
    ways = [{"fit_steps": n, "fit_lr": 1e-3} for n in (1, 2)]
    setting = bench.Setting("spoken", common, {"finetune": {}}, both, {"finetune": 3}, {"finetune": ways})
    study = bench.Speech(steps=1, episodes=4)
    run = study.trained(setting, "finetune", spoken, tmp_path / "run")
    assert run.summary()["step"] == 1
    log = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert study.trained(setting, "finetune", spoken, tmp_path / "run").config == run.config
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == log
    record = json.loads(json.dumps(study.evaluate(setting, "finetune", run)))
    assert record["steps"] == 1
    errors = record["validation_errors"]
    assert {json.loads(one)["fit_steps"] for one in errors} == {1, 2}
    assert errors[json.dumps(record["adapting"])] == min(errors.values())
    assert run.learner.fit_steps == record["adapting"]["fit_steps"]
    assert {(f["adapted"], f["episodes"], f["split"]) for f in record["figures"]} == {
        (False, 3, "test"),
        (True, 3, "test"),
    }
    lines = bench.table("tones", setting, {"tones: finetune": record})
    before = next(f for f in record["figures"] if f["metric"] == "character_error_rate" and not f["adapted"])
    assert lines[-1].startswith(f"| finetune | {before['mean']:.3f} ± {before['ci95']:.3f} | ")
    assert lines[-1].endswith(" | 3 | 1 |")
    assert len({line.count("|") for line in lines[2:]}) == 1


def test_words_are_recognised_from_one_and_from_more(bench, tmp_path):
    words = tones.table(tmp_path / "words", ["a", "b", "a", "b", "a", "b"])
    common = {"target": "text", "objective": "classify", "group": "voice", "ways": 2, "shots": 1, "queries": 1}
    common |= {"tasks": 1, "val_episodes": 2, "steps": 1, "plan": "loop", "audio": {"width": 4}}
    setting = bench.Setting("words", common, {"protonet": {"learner": "protonet"}}, [{"shots": 1}, {"shots": 2}])
    study = bench.Speech(steps=1, episodes=3)
    record = study.evaluate(setting, "protonet", study.trained(setting, "protonet", words, tmp_path / "run"))
    assert {f["shots"] for f in record["figures"]} == {1, 2}
    head, _, line = bench.table("words", setting, {"words: protonet": record})[2:]
    assert head == "| learner | 1-shot | 2-shot | tasks | steps |"
    assert line.count(" ± ") == 2


def test_every_setting_names_a_table_and_learners_that_it_has(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "make", lambda *args, **options: None)
    known = bench.tables(tmp_path, None)
    for setting in bench.SETTINGS.values():
        assert setting.table in known
        assert set(setting.fewer) | set(setting.choices) <= set(setting.learners) | set(bench.SLOW)
        assert setting.tests
