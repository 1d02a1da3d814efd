"""A new input as users meet it: adapting, saving, predicting, and what it gains."""

from __future__ import annotations

import dataclasses
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import tables

import omnishot as om
from omnishot.cli.main import main
from omnishot.episodes.loader import Loader, Shape
from omnishot.errors import DataError, UsageError
from omnishot.evaluation.evaluator import Evaluator
from omnishot.evaluation.figure import Figure
from omnishot.evaluation.new_modality import WithNewInputs
from omnishot.experiment.new_modality import kinds_of
from omnishot.runs.run import Run

EACH = 6
PHOTO = {"photo": "image"}


@pytest.fixture(scope="module")
def flock(tmp_path_factory) -> Path:
    """Birds whose weight tells little, whose photo tells more, and a column of noise."""
    folder, rng, rows = tmp_path_factory.mktemp("flock"), np.random.default_rng(0), []
    for kind, species in enumerate(tables.SPECIES):
        for i in range(EACH):
            photo = f"photos/{kind}-{i}.png"
            tables.picture(folder / photo, kind, rng)
            rows.append({"weight": f"{10 * kind + rng.normal(0, 15):.2f}", "photo": photo,
                         "luck": f"{rng.normal():.3f}", "species": species})  # fmt: skip
    return tables.write(folder / "flock.csv", rows)


@pytest.fixture(scope="module")
def blind(flock, tmp_path_factory) -> Run:
    """A run trained on weights alone."""
    options = {k: v for k, v in tables.QUICK.items() if k not in ("image", "text")}
    return om.train(
        flock, target="species", inputs=["weight"], out=tmp_path_factory.mktemp("runs") / "blind", **options
    )


@pytest.fixture(scope="module")
def rows(flock) -> tuple[om.Table, om.Table]:
    """Four rows of each of five species, and the two others."""
    table, place = om.read_table(flock, target="species"), np.arange(5 * EACH)
    return table.select(place[place % EACH < 4]), table.select(place[place % EACH >= 4])


def right(model: om.Model, asked: om.Table) -> float:
    return float((model.predict(asked) == asked.frame["species"]).mean())


def test_a_new_input_helps_and_is_saved_with_the_model(blind, rows, tmp_path):
    few, asked = rows
    plain, model = blind.adapt(few), blind.adapt(few, new=PHOTO)
    assert right(model, asked) > right(plain, asked)
    assert plain.notes == {}
    assert model.notes["new input photo"].startswith("learned from 20 rows that have both; ")
    assert model.new_modality.state["explained"] > 0.1
    again = om.load(model.save(tmp_path / "m.omni"))
    assert np.array_equal(again.predict_proba(asked), model.predict_proba(asked))
    assert again.notes == model.notes
    with zipfile.ZipFile(again.save(tmp_path / "n.omni")) as second, zipfile.ZipFile(tmp_path / "m.omni") as archive:
        assert {n: second.read(n) for n in second.namelist()} == {n: archive.read(n) for n in archive.namelist()}
        assert all(name.endswith((".safetensors", ".json")) for name in archive.namelist())
        assert json.loads(archive.read("model.json"))["new_modality"]["modalities"]["photo"]["kind"] == "image"


def test_a_row_without_it_is_answered_as_if_it_had_never_come(blind, rows):
    few, asked = rows
    plain, model = blind.adapt(few), blind.adapt(few, new=PHOTO)
    without = dataclasses.replace(asked, frame=asked.frame.assign(photo=None))
    assert np.array_equal(model.predict_proba(without), plain.predict_proba(without))
    assert np.array_equal(model.predict_proba(without.frame[["weight"]]), plain.predict_proba(without))


def test_rows_of_the_new_input_alone(blind, rows):
    few, asked = rows
    alone = dataclasses.replace(asked, frame=asked.frame.assign(weight=None))
    assert right(blind.adapt(few, new=PHOTO), alone) >= 0.4  # of five
    half = few.frame.assign(weight=np.where(np.arange(20) % 2, few.frame["weight"].astype(float), np.nan))
    model = blind.adapt(dataclasses.replace(few, frame=half), new=PHOTO)
    assert model.notes["new input photo"].startswith("learned from 10 rows that have both; ")
    assert right(model, alone) >= 0.4


def test_kinds_are_found_by_looking_and_a_damaged_cell_is_named(blind, rows, flock):
    few, asked = rows
    said, looked = blind.adapt(few, new=PHOTO), blind.adapt(few, new=["photo"])
    assert np.array_equal(said.predict_proba(asked), looked.predict_proba(asked))
    both = blind.adapt(few, new=["photo", "luck"])
    assert list(both.notes) == ["new input photo and luck"]
    gone = few.frame.assign(photo=["gone.png", *few.frame["photo"][1:]])
    with pytest.raises(DataError, match=r"1 bad cell\n.*row 2, column 'photo': no such file: gone\.png"):
        blind.adapt(dataclasses.replace(few, frame=gone), new=PHOTO)
    model = blind.adapt(few, new=PHOTO)
    answers = model.answers(dataclasses.replace(few, frame=gone))
    assert answers["problem"].tolist() == ["photo: no such file: gone.png", *[""] * 19]


@pytest.mark.parametrize(
    ("new", "error", "message"),
    [
        ({"weight": "number"}, UsageError, "'weight' is the input that the run was trained with"),
        ({"species": "text"}, UsageError, "'species' is the target that the run was trained with"),
        ({"phto": "image"}, UsageError, "unknown column 'phto': did you mean 'photo'"),
        ({"photo": "imge"}, UsageError, "unknown modality 'imge': did you mean 'image'"),
        ({"photo": "video"}, DataError, "no video, but a PNG image"),
        (["empty"], DataError, "the new column 'empty' is empty"),
        ({"empty": "image"}, DataError, "image input 'empty' cannot be learned from the 20 training rows"),
        ({"once": "number"}, DataError, r"1 support rows have once and a known input"),
    ],
)
def test_what_cannot_be_met_is_refused(blind, rows, new, error, message):
    more = {"empty": None, "once": [1.5] + [np.nan] * 19}
    frame = rows[0].frame.assign(**{name: cells for name, cells in more.items() if name in new})
    with pytest.raises(error, match=message):
        blind.adapt(dataclasses.replace(rows[0], frame=frame), new=new)


def test_the_gain_is_the_mean_difference_by_task(blind):
    found = blind.evaluate(new=PHOTO, ways=2, shots=3, episodes=20, save=False)
    assert all(Figure.from_json(json.loads(json.dumps(f.to_json()))) == f for f in found.figures)
    of = {(f.metric, f.corruption.new): f for f in found.figures}
    met, plain, gain = of["accuracy", ("photo",)], of["accuracy", ()], of["accuracy_improvement", ("photo",)]
    assert found.figures[0] == met
    assert gain.mean == pytest.approx(met.mean - plain.mean)
    assert 0 < gain.ci95 < met.ci95 + plain.ci95
    assert found.metrics["accuracy"] == met.mean
    assert plain == dataclasses.replace(
        blind.evaluate(ways=2, shots=3, episodes=20, save=False, subsets=False).figures[0], seconds=plain.seconds
    )
    assert "weight, photo unseen in training;" in str(gain).replace("tabular", "weight")


def test_a_task_is_met_as_adapting_to_its_rows_would(blind, flock):
    """Nothing but the task's support rows tells what the new input is: the other rows' photos may be anything."""
    data = blind.dataset(PHOTO)
    tasks = data.tasks("test", 3)
    loader = Loader(data.store, tasks.source, Shape(2, 2, 3, tasks.queries), seed=5)
    with_new = WithNewInputs(blind.learner, loader, data.table, kinds_of(data.table, PHOTO))
    for number, task in Evaluator(blind.learner, loader, 3).tasks():
        step, t = divmod(number, 2)
        support, query = (r[t] for r in (loader.rows(step).support, loader.rows(step).query))
        rest = np.setdiff1d(np.arange(len(data.table)), np.r_[support, query])
        photos = data.table.frame["photo"].astype(object).copy()
        photos.iloc[rest] = "nowhere.png"
        told = dataclasses.replace(
            with_new, table=dataclasses.replace(data.table, frame=data.table.frame.assign(photo=photos))
        )(task, number)
        p = blind.learner.objective.probabilities(blind.learner.answer(blind.learner.adapt(told.support), told.query))
        model = blind.adapt(om.read_table(flock, target="species").select(support), new=PHOTO)
        asked = om.read_table(flock, target="species").select(query)
        order = [list(model.classes_).index(c) for c in data.table.frame["species"].iloc[support[::3]]]
        np.testing.assert_allclose(p, model.predict_proba(asked)[:, order], atol=1e-5)


def test_a_task_with_fewer_than_two_pairs_is_left_as_it_is(blind):
    data = blind.dataset(PHOTO)
    tasks = data.tasks("test", 3)
    loader = Loader(data.store, tasks.source, Shape(2, 2, 3, tasks.queries))
    number, task = next(iter(Evaluator(blind.learner, loader, 1).tasks()))
    photos = data.table.frame["photo"].astype(object).copy()
    photos.iloc[loader.rows(0).support[0][1:]] = None
    table = dataclasses.replace(data.table, frame=data.table.frame.assign(photo=photos))
    left = WithNewInputs(blind.learner, loader, table, PHOTO)(task, number)
    assert left.support is task.support
    assert left.query is task.query


def test_what_does_not_go_with_new_inputs_is_refused(blind):
    with pytest.raises(UsageError, match="an attack does not reach new inputs"):
        blind.evaluate(new=PHOTO, attack="fgsm", epsilon={"tabular": 0.1}, episodes=2)
    with pytest.raises(UsageError, match="was read without the new column 'photo'"):
        blind.evaluate(blind.dataset(), new=PHOTO, episodes=2)


def test_a_model_with_a_new_input_is_not_explained(blind, rows):
    with pytest.raises(UsageError, match=r"inputs that its run was trained without \(photo\)"):
        om.explain(blind.adapt(rows[0], new=PHOTO), rows[1])


def test_extra_shots_go_with_new_inputs(flock, rows, tmp_path):
    options = {k: v for k, v in tables.QUICK.items() if k not in ("image", "text")} | {"extra_shots": True}
    run = om.train(flock, target="species", inputs=["weight", "luck"], out=tmp_path / "run", **options)
    assert "new input photo" in run.adapt(rows[0], new=PHOTO).notes
    found = run.evaluate(new=PHOTO, ways=2, shots=2, episodes=4, save=False)
    plain = run.evaluate(ways=2, shots=2, episodes=4, save=False, subsets=False)
    without = next(f for f in found.figures if f.metric == "accuracy" and not f.corruption.new)
    assert without.mean == plain.mean


def test_new_inputs_on_the_command_line(blind, rows, flock, tmp_path, capsys):
    few, run = flock.with_name("few.csv"), tmp_path / "run"
    shutil.copytree(blind.folder, run)
    rows[0].frame.to_csv(few, index=False)
    assert main(["adapt", str(run), str(few), "--new", "photo=image", "--out", str(tmp_path / "m.omni")]) == 0
    assert "new input photo: learned from 20 rows that have both" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "m.omni"), str(few), "--out", str(tmp_path / "answers.csv")]) == 0
    expected = blind.adapt(rows[0], new=PHOTO).predict(rows[0])
    assert pd.read_csv(tmp_path / "answers.csv")["prediction"].tolist() == expected.tolist()
    capsys.readouterr()
    said = ["--new", "photo=image", "--ways", "2", "--shots", "2", "--episodes", "4", "--json"]
    assert main(["evaluate", str(run), *said]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [f["metric"] for f in printed if f["new"]][-1] == "accuracy_improvement"
    assert {tuple(f["new"]) for f in printed} == {("photo",), ()}
    assert len(Run.load(run).figures()) == len(printed)
