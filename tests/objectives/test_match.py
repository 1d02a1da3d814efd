"""Pairs of texts in SICK's layout, from its files to a model: how alike they are, and how one relates to the other."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr

import omnishot as om
from omnishot.cli.main import main
from omnishot.datasets import read
from omnishot.episodes.rows import Rows
from omnishot.errors import DataError, UsageError
from omnishot.objectives.match import Match
from omnishot.objectives.regress import Regress
from omnishot.table.reading import read_table

THINGS, DEEDS = ("dog", "cat", "boy", "girl", "horse", "bird"), ("runs", "sleeps", "eats", "jumps", "waits")
QUICK = {"steps": 6, "tasks": 2, "val_episodes": 4, "dim": 8, "shots": 6, "queries": 4}
QUICK |= {"text": {"width": 8, "heads": 2, "vocabulary": 300}}


def sick(folder, pairs=90, seed=0):
    """SICK.txt: how related two sentences are is 1, and 2.2 for each word that they share; `No` contradicts,
    and the same said again follows."""
    rng = np.random.default_rng(seed)
    rows = ["pair_ID\tsentence_A\tsentence_B\tentailment_label\trelatedness_score\tSemEval_set"]
    for i in range(pairs):
        (a, b), (do, did) = rng.choice(THINGS, 2), rng.choice(DEEDS, 2)
        if i // 5 % 3 == 0:
            b, did = a, do
        same, no = (a == b) + (do == did), i // 5 % 3 == 1
        relation = "NEUTRAL" if same < 2 and not no else "CONTRADICTION" if no else "ENTAILMENT"
        part = ("TRAIN", "TRAIN", "TRAIN", "TRIAL", "TEST")[i % 5]
        rows.append(
            f"{i}\tA {a} {do} at noon {i}\t{'No' if no else 'The'} {b} {did}, {i}\t{relation}\t{1 + 2.2 * same}\t{part}"
        )
    (folder / "SICK.txt").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sick")
    return read("sick", sick(folder), folder / "sick.csv")


@pytest.fixture(scope="module")
def relations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("relations")
    return read("sick", sick(folder, 150), folder / "sick.csv", target="entailment")


def test_a_plain_import_is_understood(numbers, relations):
    schema = read_table(numbers, target="relatedness", objective="match").schema
    assert list(schema.inputs()) == ["sentence_a", "sentence_b"]
    assert schema.objective == "match"
    schema = read_table(relations, target="entailment", objective="match").schema
    assert list(schema.inputs()) == ["sentence_a", "sentence_b"]
    assert schema.objective == "relate"
    assert type(schema).from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_two_texts_and_a_fraction_are_pairs_to_match_unless_rows_are_grouped():
    rows = [{"a": f"a text {i} of words", "b": f"and {i} another text", "y": i / 7, "who": i % 3} for i in range(30)]
    assert read_table(rows, target="y").schema.objective == "regress"  # who is a third input
    assert read_table(rows, target="y", inputs=["a", "b"]).schema.objective == "match"
    assert read_table(rows, target="y", group="who").schema.objective == "regress"
    with pytest.raises(UsageError, match=r"need a group column.*objective='match'"):
        om.train(rows, target="y", out="never")


def test_ratings_in_whole_numbers_are_numbers_and_words_are_relations():
    rows = [{"a": f"a text {i} of words", "b": f"and {i} another text", "y": i % 3, "z": "no" if i % 2 else "yes"}
            for i in range(30)]  # fmt: skip
    assert read_table(rows, target="y", inputs=["a", "b"], objective="match").schema.objective == "match"
    assert read_table(rows, target="z", inputs=["a", "b"], objective="match").schema.objective == "relate"
    assert read_table(rows, target="y", inputs=["a", "b"]).schema.objective == "classify"


def test_numbers_from_the_files_to_a_model(numbers, tmp_path):
    run = om.train(numbers, target="relatedness", objective="match", out=tmp_path / "run", **QUICK)
    network = run.learner.network
    assert isinstance(run.learner.objective, Match)
    assert (run.config.learner, run.config.fusion, network.reader) == ("maml", "pair", [0, 0])
    assert network.modalities["sentence_a"] == network.modalities["sentence_b"]
    results = om.Run.load(tmp_path / "run").evaluate(episodes=5)
    assert {"pearson", "spearman", "mse", "mae"} <= results.metrics.keys()
    assert results.figures[0].metric == "pearson"
    pairs = [{"sentence_a": "a dog runs", "sentence_b": f"a {who} runs", "relatedness": 2 + i}
             for i, who in enumerate(("cat", "bird", "dog"))]  # fmt: skip
    model = run.adapt(pairs)
    model.save(tmp_path / "m.omni")
    unseen = [{"sentence_a": "a cat eats", "sentence_b": "a cat eats"}, {"sentence_a": "a cat eats", "sentence_b": ""},
             {"sentence_a": None, "sentence_b": None}]  # fmt: skip
    answered = model.predict(unseen)
    assert answered.shape == (3,)
    assert np.isfinite(answered).all()
    assert len(set(answered)) == 3
    np.testing.assert_array_equal(om.load(tmp_path / "m.omni").predict(unseen), answered)


def test_relations_share_their_names_over_all_tasks(relations, tmp_path):
    run = om.train(relations, target="entailment", objective="match", out=tmp_path / "run", **QUICK | {"queries": 1})
    results = run.evaluate(episodes=5, queries=1)
    assert (results.figures[0].metric, results.figures[0].ways) == ("accuracy", 3)
    again = run.evaluate(relations, episodes=5, queries=1)  # the relations are those of the training: no other classes
    assert again.mean == results.mean
    taught = [{"sentence_a": "a dog runs", "sentence_b": "no dog runs", "entailment": "CONTRADICTION"},
              {"sentence_a": "a dog runs", "sentence_b": "the dog runs", "entailment": "ENTAILMENT"}]  # fmt: skip
    model = run.adapt(taught)
    assert model.classes_.tolist() == ["CONTRADICTION", "ENTAILMENT"]
    assert model.predict_proba([{"sentence_a": "a cat eats", "sentence_b": ""}]).sum() == pytest.approx(1)


def test_the_command_line_trains_and_evaluates(numbers, tmp_path, capsys):
    written = [f"--{n}={v}" for n, v in QUICK.items() if n != "text"]
    written += ["--text.width=8", "--text.heads=2"]
    run = str(tmp_path / "run")
    assert main(["train", str(numbers), "--target", "relatedness", "--objective", "match", "--out", run, *written]) == 0
    capsys.readouterr()
    assert main(["evaluate", run, "--episodes", "3", "--json"]) == 0
    assert {"pearson", "spearman", "mse"} <= {record["metric"] for record in json.loads(capsys.readouterr().out)}


def test_figures_are_of_all_pairs_in_their_own_unit():
    rng = np.random.default_rng(0)
    objective = Match(3.0, 0.5)
    pairs = [(rng.normal(size=(8, 1)), rng.normal(size=(8, 1))) for _ in range(4)]
    predicted, expected = (np.concatenate([pair[i] for pair in pairs])[:, 0] for i in (0, 1))
    results = objective.aggregate(pairs)
    assert results["pearson"][0] == pytest.approx(pearsonr(predicted, expected).statistic)
    assert results["spearman"][0] == pytest.approx(spearmanr(predicted, expected).statistic)
    assert results["mse"][0] == pytest.approx(float(np.mean((predicted - expected) ** 2) * 0.25))
    assert all(half > 0 for _, half in results.values())


def test_it_is_a_number_as_any_other():
    target = torch.randn(5, 1, dtype=torch.float64)
    rows = Rows({}, torch.ones(5, 1, dtype=torch.bool), target)
    assert Match(1.0, 2.0).metrics(target + 1, rows) == Regress(1.0, 2.0).metrics(target + 1, rows)
    fitted = Match().fit_numbers(np.arange(6.0)[:, None])
    assert isinstance(fitted, Match)
    assert fitted.to_json()["name"] == "match"


def test_more_than_a_pair_is_refused(tmp_path):
    rows = [{"a": f"text {i}", "b": f"words {i % 3}", "c": f"other {i}", "y": i / 7, "x": i / 3} for i in range(40)]
    texts = {"a": "text", "b": "text"}
    with pytest.raises(UsageError, match=r"'pair' compares 2 inputs, and a row has 3 .*--inputs A,B"):
        om.train(rows, target="y", modality=texts | {"c": "text", "x": "note"}, objective="match", out=tmp_path / "a")
    with pytest.raises(UsageError, match="to match, say one of"):
        om.train(rows, target="y,x", modality=texts, inputs=["a", "b"], objective="match", out=tmp_path / "b")


def test_lists_of_labels_are_no_classes(tmp_path):
    rows = [{"a": f"text {i}", "y": ["red", "round"][: 1 + i % 2]} for i in range(20)]
    with pytest.raises(DataError, match=r"column 'y' holds lists of texts.*objective='tag'"):
        om.train(rows, target="y", objective="classify", out=tmp_path / "run")
