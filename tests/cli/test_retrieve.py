from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def copied(run, tmp_path):
    return shutil.copytree(run.folder, tmp_path / "run")


def test_evaluate_finds_rows(omnishot, run, copied):
    line = ("evaluate", copied, "--retrieve", "note,photo", "--split", "train", "--gallery", 4, "--episodes", 6)
    done = omnishot(*line, "--json")
    assert done.code == 0, done.err
    expected = run.retrieval(["note", "photo"], split="train", gallery=4, episodes=6, save=False).to_json()
    drop = ("seconds",)
    assert [{k: v for k, v in r.items() if k not in drop} for r in done.json()] == [
        {k: v for k, v in r.items() if k not in drop} for r in expected
    ]
    done = omnishot("evaluate", copied, "--retrieve", "note,photo", "--split", "train", "--right", "row")
    assert "one gallery of" in done.out


def test_what_does_not_go_together_is_refused(omnishot, copied):
    for args, message in (
        (("--retrieve", "note,photo", "--ways", 3), "leave out --ways"),
        (("--retrieve", "note,photo", "--missing", "photo=0.5"), "leave out --missing"),
        (("--retrieve", "note,photo", "--support-inputs", "photo"), "leave out --support-inputs"),
        (("--gallery", 4), "--retrieve INPUT,INPUT"),
        (("--retrieve", "note"), "between two inputs, not note"),
    ):
        done = omnishot("evaluate", copied, *args)
        assert (done.code, done.out) == (2, ""), (args, done.err)
        assert message in done.err
