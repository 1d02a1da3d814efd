"""How well rows are found by another of their inputs."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
from support import tables

from omnishot.errors import DataError, UsageError
from omnishot.evaluation.figure import Figure, Origin
from omnishot.evaluation.retrieval import galleries, ranked, retrieval_figures
from omnishot.metrics.retrieval import both_ways
from omnishot.training.train import train

ORIGIN = Origin("protonet", "attention")


def means(found) -> dict[str, float]:
    return {f.metric: f.mean for f in getattr(found, "figures", found)}


def test_all_rows_in_one_gallery_as_a_plain_computation(run):
    data, learner = run.dataset(), run.learner
    found = means(run.retrieval(["photo", "text"], split="train", save=False))
    store = data.store
    rows = np.flatnonzero((data.parts == "train") & store.present[:, 0] & store.present[:, 1])
    each = learner.embeddings(learner.params(), store.gather(rows))[:, :2].detach().double().numpy()
    each /= np.linalg.norm(each, axis=-1, keepdims=True)
    classes = data.table.labels[0][rows]
    same = classes[:, None] == classes
    wanted = both_ways([(each[:, 0] @ each[:, 1].T, same)], ("photo", "note"))
    assert {n: v for n, v in found.items() if "chance" not in n} == pytest.approx(
        {n: v for n, (v, _) in wanted.items()}
    )
    # Of n rows m are of the class: the mean rank of the first in a random order is (n + 1) / (m + 1).
    right, counts = (len(rows) + 1) / (same.sum(1) + 1), same.mean(1)
    assert found["median_rank_note_to_photo_by_chance"] == pytest.approx(np.median(right))
    assert found["recall_at_1_photo_to_note_by_chance"] == pytest.approx(counts.mean())
    alone = means(run.retrieval(["photo", "text"], split="train", right="row", save=False))
    assert alone["recall_at_1_photo_to_note_by_chance"] == pytest.approx(1 / len(rows))
    assert alone["median_rank_photo_to_note"] > found["median_rank_photo_to_note"]


def test_a_figure_says_what_it_was_measured_on(run, tmp_path):
    copied = dataclasses.replace(run, folder=shutil.copytree(run.folder, tmp_path / "run"))
    found = copied.retrieval(["note", "photo"], split="train", gallery=4, episodes=5, seed=3)
    figure = found.figures[0]
    assert figure.metric == "recall_at_1_photo_to_note"
    assert (figure.modalities, figure.gallery, figure.episodes, figure.queries) == (("photo", "note"), 4, 5, 4)
    assert (figure.split, figure.seed, figure.ways, figure.learner) == ("train", 3, None, "protonet")
    assert "(protonet, photo+note; 5 galleries of 4 train rows, seed 3)" in str(found)
    assert copied.figures()[-len(found.figures) :] == list(found.figures)
    assert Figure.from_json(json.loads(json.dumps(figure.to_json()))) == figure
    again = copied.retrieval(["note", "photo"], split="train", gallery=4, episodes=5, seed=3)
    assert means(again) == means(found)
    assert len(copied.figures()) == len(run.figures()) + len(found.figures)  # in place of the first
    assert means(copied.retrieval(["note", "photo"], split="train", gallery=4, episodes=5, seed=4)) != means(found)


def test_galleries_have_one_row_of_each_class_and_every_row_comes():
    classes = np.array([3, 3, 3, 7, 7, 9, 1, 1, 1, 1])
    drawn = galleries(classes, 3, 400, 0, "test")
    assert all(len(set(classes[g])) == 3 for g in drawn)
    assert {int(i) for g in drawn for i in g} == set(range(10))
    shares = np.bincount(classes[np.concatenate(drawn)], minlength=10)[[1, 3, 7, 9]] / 400
    assert shares == pytest.approx([0.75] * 4, abs=0.08)
    assert np.array_equal(galleries(classes, None, 400, 0, "test")[0], np.arange(10))
    with pytest.raises(DataError, match="a gallery of 5 rows needs as many classes, the part 'test' has 4"):
        galleries(classes, 5, 2, 0, "test")
    with pytest.raises(DataError, match="needs as many rows"):
        galleries(np.arange(4), 5, 2, 0, "test")


def test_blocks_of_queries_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    classes, a, b = rng.integers(0, 5, 30), rng.normal(size=(30, 4)), rng.normal(size=(30, 4))
    whole = ranked(classes, a, b)
    monkeypatch.setattr("omnishot.evaluation.retrieval.BLOCK", 7)
    assert all(np.array_equal(x, y) for x, y in zip(whole, ranked(classes, a, b), strict=True))


def test_what_training_aligned_is_found_better_than_by_chance(birds, tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(120):
        kind = i % 12
        shade = f"{'very ' * (kind % 3)}{('dark', 'dim', 'bright', 'light')[kind // 3]}"
        tables.picture(tmp_path / f"{i}.png", kind * 0.8, rng)
        rows.append({"photo": f"{i}.png", "note": shade, "kind": f"k{kind}", "split": "train"})
    options = {k: v for k, v in tables.QUICK.items() if k != "tabular"} | {"lr": 0.01, "steps": 60, "dim": 16}
    run = train(
        tables.write(tmp_path / "t.csv", rows), out=tmp_path / "run", target="kind", modality={"note": "text"},
        auxiliary={"infonce": 1.0}, ways=8, shots=1, queries=1, cross=0.5, **options,
    )  # fmt: skip
    found = means(run.retrieval(["photo", "note"], split="train", gallery=12, episodes=20, save=False))
    for a, b in (("photo", "note"), ("note", "photo")):
        assert found[f"recall_at_5_{a}_to_{b}_by_chance"] == pytest.approx(5 / 12)
        assert found[f"recall_at_5_{a}_to_{b}"] > 0.75
        assert found[f"median_rank_{a}_to_{b}"] < 4


def test_mistakes_are_explained(run):
    for inputs, options, kind, message in (
        (["photo"], {}, UsageError, "between two inputs, not photo"),
        (["photo", "nte"], {}, UsageError, "did you mean 'note'"),
        (["photo", "note"], {"gallery": 1}, UsageError, "at least 2 rows, not 1"),
        (["photo", "note"], {"episodes": 1}, UsageError, "episodes of 2 or more"),
        (["photo", "note"], {"split": "tset"}, UsageError, "did you mean 'test'"),
        (["photo", "note"], {"right": "rows"}, UsageError, "did you mean 'row'"),
        (["photo", "note"], {"gallery": 50}, DataError, "a gallery of 50 rows needs as many classes"),
    ):
        with pytest.raises(kind, match=message):
            run.retrieval(inputs, save=False, **options)
    data = run.dataset()
    empty = dataclasses.replace(data, parts=np.full(len(data.parts), "train"))
    with pytest.raises(DataError, match="the part 'test' has 0 rows with photo and note"):
        retrieval_figures(run.learner, empty, ["photo", "note"], ORIGIN)
