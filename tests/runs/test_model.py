from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import tables

import omnishot as om
from omnishot.episodes.decoding import decode_table
from omnishot.errors import DataError, UsageError
from omnishot.learners import LEARNERS
from omnishot.runs.model import Model, abstained


@pytest.fixture(scope="module")
def model(run, birds) -> Model:
    """Adapted to five species, three rows each."""
    return run.adapt(om.read_table(birds, target="species").select(range(15)))


@pytest.fixture
def saved(model, tmp_path) -> Path:
    return model.save(tmp_path / "birds.omni")


def test_a_saved_model_gives_the_same_predictions(model, saved, birds):
    again = om.load(saved)
    assert isinstance(again, Model)
    assert again.classes_.tolist() == model.classes_.tolist() == list(tables.SPECIES[:5])
    assert np.array_equal(again.predict_proba(birds), model.predict_proba(birds))
    assert again.answers(birds).equals(model.answers(birds))
    assert again.save(saved.with_name("again.omni")).stat().st_size == saved.stat().st_size


def test_a_saved_model_holds_safetensors_and_json_only(saved):
    with zipfile.ZipFile(saved) as archive:
        assert sorted(archive.namelist()) == ["model.json", "params.safetensors", "state.safetensors"]
        about = json.loads(archive.read("model.json"))
    assert about["format"] == 1
    assert about["classes"] == list(tables.SPECIES[:5])


def test_a_model_needs_neither_run_nor_table(model, saved, birds, tmp_path):
    rows = [{"note": "seen near the lake, day 0", "weight": 3.5}, {"weight": None}]
    assert np.array_equal(Model.load(saved).predict_proba(rows), model.predict_proba(rows))


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_model_that_is_cut_off_is_refused(saved, kept):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(DataError, match=r"birds\.omni is not a whole Omnishot model"):
        om.load(saved)


@pytest.mark.parametrize("change", ["byte", "name", "json", "keys", "format", "no zip"])
def test_a_model_that_is_damaged_is_refused(saved, change):
    with zipfile.ZipFile(saved) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if change == "byte":
        data = bytearray(saved.read_bytes())
        data[len(data) // 2] ^= 255
        saved.write_bytes(data)
    elif change == "no zip":
        saved.write_text("hello")
    else:
        if change == "name":
            parts.pop("state.safetensors")
        elif change == "json":
            parts["model.json"] = b"{"
        elif change == "keys":
            parts["model.json"] = b"{}"
        else:
            parts["model.json"] = json.dumps(json.loads(parts["model.json"]) | {"format": 99}).encode()
        with zipfile.ZipFile(saved, "w") as archive:
            for name, data in parts.items():
                archive.writestr(name, data)
    reason = "has format 99, this Omnishot reads up to 1" if change == "format" else "is not a whole Omnishot model"
    with pytest.raises(DataError, match=reason):
        om.load(saved)


def test_what_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.omni does not exist"):
        om.load(tmp_path / "gone.omni")
    with pytest.raises(DataError, match=r"gone\.omni does not exist"):
        Model.load(tmp_path / "gone.omni")


def test_a_model_is_saved_under_the_right_name_only(model, tmp_path):
    with pytest.raises(UsageError, match=r"must end in \.omni, not 'm\.zip'"):
        model.save(tmp_path / "m.zip")


def test_predictions_are_in_the_order_of_the_rows_and_sum_to_one(model, birds):
    p = model.predict_proba(birds)
    assert p.shape == (30, 5)
    assert np.allclose(p.sum(1), 1)
    assert model.predict(birds).tolist() == model.classes_[p.argmax(1)].tolist()
    order = np.random.default_rng(0).permutation(30)
    shuffled = om.read_table(birds, target="species").select(order)
    assert np.allclose(model.predict_proba(shuffled), p[order], atol=1e-6)


def test_a_row_alone_is_answered_as_among_others(model, birds):
    table = om.read_table(birds, target="species")
    whole = model.predict_proba(table)
    for row in (0, 7, 29):
        assert np.allclose(model.predict_proba(table.select([row])), whole[[row]], atol=1e-5)


@settings(max_examples=25)
@given(chunk=st.integers(1, 31), memory=st.sampled_from([0, 20_000, 1 << 30]), broken=st.sets(st.integers(0, 29)))
def test_predictions_are_the_same_in_whatever_batches(model, birds, chunk, memory, broken):
    table = om.read_table(birds, target="species")
    photo = [f"gone{i}.png" if i in broken else cell for i, cell in enumerate(table.frame["photo"])]
    table = dataclasses.replace(table, frame=table.frame.assign(photo=photo))
    whole, plain = model.answers(table), model.fill(table)[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("omnishot.runs.prediction.CHUNK", chunk)
        patch.setattr("omnishot.runs.prediction.MEMORY", memory)
        parts, bad = model.answers(table), model.fill(table)[1]
    assert [cell.row for cell in bad] == sorted(broken)
    assert bad == plain
    assert parts["problem"].equals(whole["problem"])
    numbers = [name for name in whole if name.startswith("p")]
    assert np.allclose(parts[numbers[1:-1]], whole[numbers[1:-1]], atol=1e-5)


def test_a_large_table_is_decoded_a_part_at_a_time(model, birds, monkeypatch):
    sizes = []

    def counted(table, *args, **options):
        sizes.append(len(table))
        return decode_table(table, *args, **options)

    monkeypatch.setattr("omnishot.runs.prediction.decode_table", counted)
    monkeypatch.setattr("omnishot.runs.prediction.CHUNK", 4)
    monkeypatch.setattr("omnishot.runs.prediction.MEMORY", 1000)  # bytes: less than a row
    model.predict(birds)
    assert sizes == [4] * 7 + [2]
    monkeypatch.setattr("omnishot.runs.prediction.MEMORY", 1 << 30)
    sizes.clear()
    model.predict(birds)
    assert sizes == [30]


def test_rows_that_depend_on_one_another_are_predicted_together(birds, tmp_path, monkeypatch):
    options = tables.QUICK | {"learner": "protonet", "image.norm": "batch", "steps": 1}
    run = om.train(birds, target="species", out=tmp_path / "run", **options)
    model = run.adapt(birds)
    whole = model.predict_proba(birds)
    monkeypatch.setattr("omnishot.runs.prediction.CHUNK", 4)
    monkeypatch.setattr("omnishot.runs.prediction.MEMORY", 0)
    assert np.array_equal(model.predict_proba(birds), whole)


def test_a_row_without_any_cell_is_answered(model):
    p = model.predict_proba([{"photo": None}])
    assert np.isfinite(p).all()


def test_answers_have_the_prediction_and_the_unreadable_cells(model):
    answers = model.answers([{"weight": 3}, {"photo": "gone.png", "weight": "heavy"}, {"weight": 4}])
    assert list(answers) == ["prediction", "probability", *(f"p({name})" for name in model.classes_), "problem"]
    assert answers["problem"].tolist() == [
        "", "photo: no such file: gone.png; weight: text in a number column: 'heavy'", "",
    ]  # fmt: skip
    assert np.allclose(answers["probability"], answers[[f"p({n})" for n in model.classes_]].max(axis=1))


@pytest.mark.parametrize("abstain", [0.0, 0.25, 0.6, 1.0])
def test_rows_below_a_probability_are_left_unanswered(model, birds, abstain):
    plain, p = model.predict(birds), model.predict_proba(birds).max(1)
    predictions = model.predict(birds, abstain=abstain)
    assert predictions.dtype == object
    assert predictions.tolist() == [answer if sure >= abstain else None for answer, sure in zip(plain, p, strict=True)]
    answers, whole = model.answers(birds, abstain), model.answers(birds)
    assert [None if pd.isna(answer) else answer for answer in answers["prediction"]] == predictions.tolist()
    rest = [name for name in answers if name != "prediction"]
    assert answers[rest].equals(whole[rest])  # why it abstained is seen
    assert model.fill(birds, abstain)[0]["prediction"].equals(answers["prediction"])


def test_some_rows_are_answered_and_some_are_not(model, birds):
    p = model.predict_proba(birds).max(1)
    unanswered = [answer is None for answer in model.predict(birds, abstain=float(np.median(p)))]
    assert 0 < sum(unanswered) <= len(p) / 2


@pytest.mark.parametrize("abstain", [-0.1, 1.1, np.nan, 60, "0.6"])
def test_what_is_no_probability_is_refused(model, birds, abstain):
    for method in (model.predict, model.answers, model.fill):
        with pytest.raises(UsageError, match=r"abstain must be a probability from 0 to 1, not"):
            method(birds, abstain=abstain)


def test_rows_whose_probability_is_no_number_are_not_answered():
    predictions = abstained(np.array(["a", "b"]), np.array([[np.nan, np.nan], [1.0, 0.0]]), 0.0)
    assert predictions.tolist() == [None, "b"]


def test_filled_rows_keep_their_plain_values_and_their_order(model, birds):
    table, bad = model.fill([{"weight": 3, "_id": "a", "photo": np.zeros((9, 9), np.uint8)}, {"weight": 4, "_id": "b"}])
    assert list(table) == ["weight", "_id", *model.answers([{"weight": 3}])]
    assert table["_id"].tolist() == ["a", "b"]
    assert len(table) == 2
    assert bad == []


def test_a_column_named_as_an_answer_is_not_overwritten(birds, tmp_path):
    rows = [row | {"problem": "none"} for row in tables.read(birds)]
    table = tables.write(birds.parent / "problem.csv", rows)
    run = om.train(table, target="species", modality={"problem": "note"}, out=tmp_path / "run", **tables.QUICK)
    with pytest.raises(UsageError, match="has a column 'problem' as the answers have: rename it to '_problem'"):
        run.adapt(table).fill(table)


def test_unequal_shots_and_any_number_of_classes(run, birds):
    table = om.read_table(birds, target="species")
    for rows, ways in ([0, 1, 2, 3], 2), (range(30), 10), ([0, *range(3, 30)], 10):
        model = run.adapt(table.select(rows))
        assert len(model.classes_) == ways
        assert model.predict_proba(birds).shape == (30, ways)


@pytest.mark.parametrize("learner", LEARNERS.names())
def test_every_learner_is_trained_saved_and_serves(birds, tmp_path, learner):
    """Cells missing, unequal shots, more classes than it was trained with; the file alone gives the same answers."""
    head = {"head": "prototype"} if learner == "maml" else {}  # its own takes one number of classes
    options = tables.QUICK | {"learner": learner, "steps": 2} | head
    run = om.train(birds, target="species", out=tmp_path / "run", **options)
    model = run.adapt(om.read_table(birds, target="species").select([0, 1, 2, 3, *range(6, 12), 14, 15, 20]))
    saved = om.load(model.save(tmp_path / "model.omni"))
    answers = saved.predict_proba(birds)
    assert answers.shape == (30, 7)
    assert np.allclose(answers.sum(1), 1)
    assert np.array_equal(answers, model.predict_proba(birds))
    assert saved.notes == model.notes
    assert run.evaluate(episodes=2, subsets=False, save=False).figures[0].learner == learner


@pytest.mark.parametrize(
    "options",
    [
        {"level": "early"},
        {"level": "token", "auxiliary": {"infonce": 0.1}},
        {"imputation": "placeholder", "auxiliary": {"distil": 0.5}, "dropout": {"image": 0.5, "note": 0.2}},
        {"imputation": "impute", "auxiliary": {"reconstruct": 0.1, "sigmoid": 0.1, "consensus": 0.1}},
    ],
    ids=lambda options: "-".join(options),
)
def test_a_network_of_every_kind_is_trained_resumed_saved_and_serves(birds, tmp_path, options):
    options = tables.QUICK | options
    run = om.train(birds, target="species", out=tmp_path / "run", **options)
    again = om.train(birds, target="species", out=tmp_path / "run", resume=True)
    assert all(torch.equal(p, again.learner.params()[name]) for name, p in run.learner.params().items())
    model = run.adapt(om.read_table(birds, target="species").select([0, 1, 2, 3, *range(6, 12)]))
    saved = om.load(model.save(tmp_path / "model.omni"))
    assert np.array_equal(saved.predict_proba(birds), model.predict_proba(birds))
    level = options.get("level", "intermediate")
    expected = {"early": "plain features", "token": "transformer of parts", "intermediate": "attention"}[level]
    assert run.evaluate(episodes=2, subsets=False, save=False).figures[0].fusion == expected


def test_what_an_auxiliary_objective_asks_is_learned(birds, tmp_path):
    """The same training with and without: the inputs' embeddings agree more where agreement is asked for."""
    options = tables.QUICK | {"steps": 40, "lr": 1e-2, "warmup": 0, "schedule": "constant", "val_every": 40}
    off = {}
    for weights in ({}, {"consensus": 10.0}):
        run = om.train(birds, target="species", out=tmp_path / f"run{len(weights)}", auxiliary=weights, **options)
        store = run.dataset().store
        rows = store.gather(np.flatnonzero(store.present.all(1)))
        with torch.no_grad():
            embeddings = run.learner.network.embeddings(rows)
        off[len(weights)] = (embeddings - embeddings.mean(-2, keepdim=True)).square().mean().item()
    assert off[1] < off[0] / 2


@pytest.mark.parametrize("rows", [[], pd.DataFrame({"note": [], "species": []})], ids=["list", "frame"])
def test_no_support_rows_at_all(run, rows):
    with pytest.raises(DataError, match=r"has no rows|is empty"):
        run.adapt(rows)


def test_labels_may_be_numbers(run, birds):
    frame = pd.read_csv(birds).iloc[:9].assign(species=[1, 1, 1, 2, 2, 2, 10, 10, 10], photo=None)
    assert run.adapt(frame).classes_.tolist() == ["1", "10", "2"]


def test_a_linear_head_refuses_other_ways(birds, tmp_path):
    options = tables.QUICK | {"learner": "maml", "ways": 2, "steps": 1, "inner_steps": 1}
    run = om.train(birds, target="species", out=tmp_path / "run", **options)
    table = om.read_table(birds, target="species")
    assert len(run.adapt(table.select(range(6))).classes_) == 2
    with pytest.raises(UsageError, match=r"2 classes.*protomaml"):
        run.adapt(table.select(range(9)))
