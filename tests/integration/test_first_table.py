"""What a user does with a table written by hand, no option but the target."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import tomllib

import numpy as np
import pandas as pd
import pytest
from support import tables

from omnishot.core.storage import read_tensors

KEYS = {"metric", "mean", "ci95", "episodes", "learner", "fusion", "modalities", "ways", "shots", "missing",
        "transductive", "split", "seed", "seconds"}  # fmt: skip


def test_from_a_table_written_by_hand_to_predictions(omnishot, tmp_path):
    table = tables.birds(tmp_path)
    rows = tables.read(table)

    checked = omnishot("check", table, "--json")
    assert checked.code == 0
    report = checked.json()
    assert {c["name"]: c["modality"] for c in report["columns"]} == {
        "photo": "image", "note": "text", "weight": "number", "species": "text",
    }  # fmt: skip
    assert (report["rows"], report["bad"], report["splits"]) == (30, [], None)
    assert omnishot("check", table, "--target", "species", "--json").json()["splits"] == {
        "train": {"rows": 18, "classes": 6}, "val": {"rows": 6, "classes": 2}, "test": {"rows": 6, "classes": 2},
    }  # fmt: skip

    run = tmp_path / "run"
    small = ["--steps", 2, "--tasks", 1, "--val-episodes", 2]  # everything else as it is by default
    trained = omnishot("train", table, "--target", "species", "--out", run, *small, "--json")
    assert trained.code == 0, trained.err
    summary = trained.json()
    assert (summary["learner"], summary["step"], summary["modalities"]) == ("protonet", 2, ["photo", "note", "tabular"])
    for name in (
        "config.toml",
        "table.json",
        "metrics.jsonl",
        "best/checkpoint.safetensors",
        "last/checkpoint.safetensors",
    ):
        assert (run / name).stat().st_size

    evaluated = omnishot("evaluate", run, "--episodes", 3, "--json")
    assert evaluated.code == 0, evaluated.err
    figures = evaluated.json()
    assert all(figure.keys() >= KEYS for figure in figures)
    assert json.loads((run / "evaluation.json").read_text()) == figures
    accuracies = [f for f in figures if f["metric"] == "accuracy"]
    assert [(f["modalities"], f["missing"]) for f in accuracies] == [
        (["photo", "note", "tabular"], {}), (["photo"], {}), (["note"], {}), (["tabular"], {}),
        (["photo", "note", "tabular"], {"*": 0.5}),
    ]  # fmt: skip

    support = tables.write(tmp_path / "support.csv", rows[:8])  # three species, unequal shots, cells missing
    model = tmp_path / "model.omni"
    adapted = omnishot("adapt", run, support, "--out", model)
    assert adapted.code == 0, adapted.err
    assert "blackbird, blue tit, crane" in adapted.err

    answers = tmp_path / "answers.csv"
    predicted = omnishot("predict", model, table, "--out", answers)
    assert predicted.code == 0, predicted.err
    assert not predicted.out
    table = pd.read_csv(answers, keep_default_na=False)
    assert list(table["photo"]) == [row["photo"] for row in rows]
    assert list(table["species"]) == [row["species"] for row in rows]
    p = table[["p(blackbird)", "p(blue tit)", "p(crane)"]].to_numpy()
    assert np.allclose(p.sum(1), 1)
    assert list(table["prediction"]) == [("blackbird", "blue tit", "crane")[i] for i in p.argmax(1)]


@pytest.fixture
def trained(omnishot, birds, tmp_path):
    """Trains with `args`; returns what the command came to and the run folder."""

    def call(*args: object):
        out = tmp_path / "run"
        small = ["--steps", 1, "--tasks", 1, "--val-episodes", 2, "--dim", 8, "--learner", "protonet"]
        return omnishot("train", birds, "--target", "species", "--out", out, *small, *args), out

    return call


def test_options_reach_the_training(trained):
    done, out = trained(
        "--ways=2", "--shots", "1-2", "--queries", 1, "--seed", 7, "--fusion", "sum", "--noise", "image=0.3",
        "--photo.size", 16, "--text.encoder", "gru", "--modality", "weight=note", "--clip=3.5", "--scale", "2",
    )  # fmt: skip
    assert done.code == 0, done.err
    config = tomllib.loads((out / "config.toml").read_text())
    options = {"ways": 2, "shots": [1, 2], "queries": 1, "seed": 7, "fusion": "sum", "clip": 3.5, "scale": 2.0}
    options |= {"noise": {"image": 0.3}, "photo": {"size": 16}, "text": {"encoder": "gru"}}
    assert options.items() <= config.items()
    assert json.loads((out / "table.json").read_text())["modalities"].keys() == {"photo", "note"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--lerner", "maml"], "no option 'lerner' for learner 'protonet': did you mean 'learner'"),
        (["--inner-steps", "3"], "no option 'inner_steps' for learner 'protonet'"),
        (["--photo.sise", "3"], "has no option 'sise': did you mean 'size'"),
        (["--foto.size", "3"], "no option 'foto' for learner 'protonet': did you mean 'photo'"),
        (["--queries", "many"], "option 'queries' takes int or None, not 'many'"),
        (["--ways", "1"], "ways must be at least 2, not 1"),
        (["--ways", "5-2"], "ways as a range is [low, high], not [5, 2]"),
        (["--fusion", "atention"], "unknown fusion 'atention': did you mean 'attention'"),
        (["--device", "cuda:99"], "device 'cuda:99' cannot be used here"),
        (["--noise", "imagge=0.1"], "no input 'imagge': did you mean 'image'"),
        (["--noise", "image=2"], "the level of 'image' must lie between 0 and 1"),
        (["--target", "specie"], "unknown column 'specie': did you mean 'species'"),
        (["--modality", "photo=img"], "unknown modality 'img'"),
        (["--table", "x.csv"], "no option 'table'"),
        (["--photo", "3"], "no option 'photo'"),
        (["--photo", "3", "--photo.size", "3"], "option 'photo' is both"),
    ],
)
def test_wrong_options_are_refused_and_leave_no_run(trained, args, message):
    done, out = trained(*args)
    assert done.code == 2
    assert message in done.err
    assert not (out / "config.toml").exists()


def test_a_run_is_not_overwritten(trained):
    assert trained()[0].code == 0
    done, _ = trained()
    assert done.code == 2
    assert "already holds a run" in done.err


def test_unreadable_cells_are_reported_and_answered(omnishot, run, birds, tmp_path):
    model = tmp_path / "m.omni"
    assert omnishot("adapt", run.folder, birds, "--out", model).code == 0
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    rows = [{"photo": "broken.png", "weight": 3}, {"photo": "", "weight": 4}, {"photo": "gone.png", "weight": ""}]
    table = tables.write(tmp_path / "new.csv", rows)
    done = omnishot("predict", model, table, "--out", tmp_path / "out.jsonl")
    assert done.code == 0
    assert "row 2, column 'photo'" in done.err
    assert "row 4, column 'photo': no such file: gone.png" in done.err
    answers = pd.read_json(tmp_path / "out.jsonl", lines=True)
    assert answers["photo"].fillna("").tolist() == ["broken.png", "", "gone.png"]
    assert answers["prediction"].isin(tables.SPECIES).all()
    assert answers["problem"].map(bool).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("adapt", "{run}", "{table}", "--out", "m.zip"), "must end in .omni"),
        (("predict", "{run}", "{table}", "--out", "x.csv"), "is not a whole Omnishot model"),
        (("predict", "m.omni", "{table}", "--out", "x.xls"), "must end in one of"),
        (("predict", "gone.omni", "{table}", "--out", "x.csv"), "gone.omni does not exist"),
        (("evaluate", "{run}", "--split", "tets"), "split must be one of"),
        (("evaluate", "{run}", "--episodes", "1"), "episodes must be at least 2"),
        (("evaluate", "{run}", "--ways", "9"), "9 ways need 9 classes"),
        (("evaluate", "{run}", "--missing", "image=1.5"), "must lie between 0 and 1"),
        (("evaluate", "nowhere"), "nowhere is not a run"),
        (("adapt", "{table}", "{table}", "--out", "m.omni"), "is not a run"),
    ],
)
def test_wrong_use_of_what_is_on_disk(omnishot, run, birds, tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    done = omnishot(*(arg.format(run=run.folder, table=birds) for arg in args))
    assert done.code in (1, 2)
    assert message in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_terminated_training_says_how_to_go_on_and_can_be_resumed(omnishot, birds, tmp_path):
    out = tmp_path / "run"
    options = ["--target", "species", "--out", out, "--learner", "protonet", "--tasks", "1", "--val-episodes", "2"]
    command = [sys.executable, "-m", "omnishot", "train", birds, *options, "--steps", "100000", "--val-every", "50000"]
    with subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True) as process:
        log = out / "metrics.jsonl"
        while process.poll() is None and not (log.exists() and log.read_text().count("\n") > 3):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "of 100000; to go on, repeat the command with --resume" in err
    _, state = read_tensors(out / "last" / "checkpoint.safetensors")
    assert state["step"] == log.read_text().count("\n") > 3
