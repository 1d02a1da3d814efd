"""Pictures with sentences in Flickr8k's layout: one command imports them, one meta-trains, one evaluates."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from omnishot.worlds import make


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Drawn scenes as Flickr8k lays its photographs out."""
    folder = tmp_path_factory.mktemp("flickr")
    scenes = pd.read_csv(make("scenes", folder / "world" / "s.csv", concepts=12, pictures=10, size=32, things=2))
    flickr = folder / "Flickr8k"
    (flickr / "Flicker8k_Dataset").mkdir(parents=True)
    tokens, lists = [], {"train": [], "dev": [], "test": []}
    for i, row in enumerate(scenes.itertuples()):
        name = f"{1000 + i}_{i:x}.jpg"
        picture = (folder / "world" / row.image).read_bytes()
        (flickr / "Flicker8k_Dataset" / name).write_bytes(picture)
        tokens += [f"{name}#{k}\t{text} ." for k, text in enumerate(json.loads(row.caption))]
        lists[("train", "train", "train", "dev", "test")[i % 5]].append(name)
    (flickr / "Flickr8k.token.txt").write_text("\n".join(tokens) + "\n")
    for part, names in lists.items():
        (flickr / f"Flickr_8k.{part}Images.txt").write_text("\n".join(names) + "\n")
    return flickr


def test_import_train_evaluate_and_what_follows(omnishot, published, tmp_path):
    table, run = tmp_path / "flickr8k.csv", tmp_path / "run"
    assert omnishot("data", "import", "flickr8k", published, "--out", table).code == 0
    small = ["--steps", 2, "--tasks", 2, "--val-episodes", 2, "--dim", 16, "--image.width", 8, "--image.size", 32]
    trained = omnishot("train", table, "--target", "caption", "--out", run, *small)  # that it is to caption is inferred
    assert trained.code == 0, trained.err
    assert json.loads((run / "table.json").read_text())["objective"]["name"] == "caption"

    evaluated = omnishot("evaluate", run, "--episodes", 3, "--queries", 3, "--json")
    assert evaluated.code == 0, evaluated.err
    figures = {figure["metric"]: figure for figure in evaluated.json()}
    assert figures.keys() >= {"bleu1", "bleu4", "rouge_l", "cider_d", "new_word_recall", "token_accuracy", "loss"}
    assert evaluated.json()[0]["metric"] == "bleu4"
    assert figures["loss"]["ci95"] > 0

    rows = pd.read_csv(table)
    few, others = rows[:5], rows[5:8].drop(columns="caption")
    for name, frame in (("few", few), ("others", others)):
        frame.drop(columns="split").to_csv(tmp_path / f"{name}.csv", index=False)
    assert omnishot("adapt", run, tmp_path / "few.csv", "--out", tmp_path / "m.omni").code == 0
    done = omnishot("predict", tmp_path / "m.omni", tmp_path / "others.csv", "--out", tmp_path / "answers.csv")
    assert done.code == 0, done.err
    answers = pd.read_csv(tmp_path / "answers.csv", keep_default_na=False)
    assert len(answers) == 3
    assert list(answers.problem) == [""] * 3

    assert omnishot("report", run, "--curves", 2).code == 0
    page = Path(run / "report.html").read_text()
    assert "Support" in page
    assert "before adaptation" in page


def test_more_sentences_than_one_need_no_objective_and_one_does(omnishot, tmp_path):
    frame = pd.DataFrame({"note": [f"n{i} words here" for i in range(12)], "text": ["one sentence of five words"] * 12})
    frame.to_csv(tmp_path / "t.csv", index=False)
    checked = omnishot("check", tmp_path / "t.csv", "--target", "text", "--objective", "caption", "--json")
    assert checked.code == 0, checked.err
    refused = omnishot(
        "train", tmp_path / "t.csv", "--target", "text", "--objective", "captions", "--out", tmp_path / "r"
    )
    assert refused.code == 2
    assert "caption" in refused.err
