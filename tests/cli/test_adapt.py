"""`omnishot adapt` prints how the task was learned, and the model keeps it."""

from __future__ import annotations

import json
import zipfile

import pandas as pd
from support import tables

import omnishot as om


def test_what_was_picked_for_a_task_is_printed_and_saved(omnishot, tmp_path):
    birds = tables.birds(tmp_path)
    few = birds.with_name("few.csv")
    run = om.train(birds, target="species", out=tmp_path / "run", **tables.QUICK | {"learner": "archgen", "depth": 1})
    pd.read_csv(birds).iloc[:9].to_csv(few, index=False)
    done = omnishot("adapt", run.folder, few, "--out", tmp_path / "few.omni")
    assert (done.code, done.out) == (0, "")
    model = om.load(tmp_path / "few.omni")
    choices = {f"{what} of {name}" for what in ("depth", "width") for name in ("photo", "note", "tabular")}
    assert model.notes.keys() == choices | {"fusion"}
    assert model.notes["fusion"] in ("attention", "concat", "sum")
    for name, value in model.notes.items():
        assert f"{name}: {value}\n" in done.err
    with zipfile.ZipFile(tmp_path / "few.omni") as archive:
        assert json.loads(archive.read("model.json"))["notes"] == model.notes
    again = om.load(model.save(tmp_path / "again.omni"))
    assert again.notes == model.notes
    assert (again.predict_proba(birds) == model.predict_proba(birds)).all()


def test_a_learner_that_picks_nothing_has_no_notes(run, birds):
    assert run.adapt(om.read_table(birds, target="species").select(range(9))).notes == {}
