"""The studies of captions and of answers, on little worlds."""

from __future__ import annotations

import pytest

LITTLE = {"steps": 2, "tasks": 1, "val_episodes": 2, "dim": 16, "shots": 2, "queries": 2}
PICTURE = {"image": {"width": 4, "blocks": 2}}


@pytest.fixture
def captions(script):
    return script("studies/captions")


@pytest.fixture
def answers(script):
    return script("studies/answers")


def test_captions_before_and_after_on_the_same_tasks(captions, tmp_path):
    world = {"concepts": 12, "pictures": 8, "size": 24, "things": 1}
    study = captions.Captions(2, 3, world, {**captions.COMMON, **LITTLE, **PICTURE})
    table = study.table(tmp_path)
    assert study.table(tmp_path) == table
    name = "maml, no step (prototypes of words)"
    record = study.evaluate(table, captions.METHODS[name], tmp_path / "run")
    before, after = ({f["metric"]: f for f in record[when]} for when in ("before", "after"))
    assert before["new_word_recall"]["mean"] == 0
    assert [f["episodes"] for f in after.values()] == [3] * len(after)
    assert {f["split"] for f in after.values()} == {"test"}
    assert (before["bleu4"]["adapted"], after["bleu4"]["adapted"]) == (False, True)
    lines = captions.table({name: record})
    assert [line.split(" | ")[1] for line in lines[2:]] == ["before", "after"]
    again = study.evaluate(table, captions.METHODS[name], tmp_path / "run")  # goes on where it was stopped
    assert [f["mean"] for f in again["after"]] == [f["mean"] for f in record["after"]]


def test_answers_from_both_inputs_and_from_either(answers, tmp_path):
    world = {"form": "questions", "concepts": 12, "pictures": 4, "size": 24, "things": 2, "questions": 2}
    study = answers.Answers(2, 3, world, {**answers.COMMON, **LITTLE})
    table = study.table(tmp_path)
    records = {}
    for name, own in answers.INPUTS.items():
        options = {"inputs": own["inputs"]} | (PICTURE if "image" in own["inputs"] else {})
        records[name] = study.evaluate(table, options, tmp_path / name)
        assert records[name]["figures"][0]["modalities"] == own["inputs"]
        assert records[name]["steps"] == 2
    assert [line.split(" | ")[0][2:] for line in answers.table(records)[2:]] == list(answers.INPUTS)
