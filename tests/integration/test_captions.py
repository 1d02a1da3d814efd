"""Captions from a table to answers, and whatever can be wrong with them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import tables

import omnishot as om
from omnishot.cli.main import main
from omnishot.core.storage import read_tensors
from omnishot.errors import UsageError
from omnishot.runs.run import Run
from omnishot.training.train import train
from omnishot.training.trainer import Trainer

CONCEPTS = ("blick", "dax", "wug", "toma", "zup", "fep", "gorp", "lorp", "mib")
#: A training of about a second.
SMALL: dict[str, Any] = {
    "target": "caption", "group": "concept", "learner": "maml", "inner_steps": 1, "steps": 3, "tasks": 2, "shots": 2,
    "queries": 2, "val_episodes": 2, "val_every": 3, "dim": 8, "plan": "loop", "device": "cpu",
    "image": {"size": 16, "width": 4}, "fuse": {"layers": 1, "heads": 2},
    **{f"objective_options.{n}": v for n, v in {"layers": 1, "heads": 2, "longest": 8, "beam": 2}.items()},
}  # fmt: skip


def scenes(folder: Path, rows: int = 5, **first: Any) -> Path:
    """Pictures of things with invented names, two sentences each; `first` replaces cells of the first row."""
    rng = np.random.default_rng(0)
    written = []
    for kind, concept in enumerate(CONCEPTS):
        for i in range(rows):
            name = f"pictures/{concept}-{i}.png"
            tables.picture(folder / name, kind, rng)
            place = ("left", "right")[i % 2]
            texts = [f"a {concept} on the {place}", f'there is a "{concept}", i think'][: 1 + (i + kind) % 2]
            written.append({"image": name, "caption": json.dumps(texts), "concept": concept})
    written[0] |= first
    return tables.write(folder / "scenes.csv", written)


def command(*args: object, options: dict[str, Any] = SMALL, **other: Any) -> list[str]:
    """`omnishot train` with the small options."""
    flat: dict[str, Any] = {}
    for name, value in (options | other).items():
        flat |= {f"{name}.{n}": v for n, v in value.items()} if isinstance(value, dict) else {name: value}
    return [*map(str, args), *(f"--{name.replace('_', '-')}={value}" for name, value in flat.items())]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("captions")
    return train(scenes(folder), out=folder / "run", **SMALL)


def test_the_objective_is_inferred_from_the_texts(run):
    """Several sentences a picture are captions; the words that one group says only are not shared."""
    objective = run.learner.objective
    assert objective.name == "caption"
    assert {"a", "on", "the", "left", "there", "is", '"', ","} <= set(objective.vocabulary.tokens)
    assert not set(CONCEPTS) & set(objective.vocabulary.tokens)


def test_evaluate_adapt_predict_save_load(run, tmp_path):
    result = run.evaluate(episodes=3, save=False)
    names = {"bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider_d", "new_word_recall", "new_word_precision"}
    assert names | {"token_accuracy", "loss"} <= result.metrics.keys()
    assert result.figures[0].metric == "bleu4"
    assert result.mean == run.evaluate(episodes=3, save=False).mean

    rows = [row for row in tables.read(scenes(tmp_path)) if row["concept"] == "mib"]
    model = run.adapt(tables.write(tmp_path / "mib.csv", rows))
    assert model.words == ("mib",)
    shown = tables.write(tmp_path / "shown.csv", [{"image": row["image"]} for row in rows])
    more = tables.write(
        tmp_path / "more.csv", [*({"image": row["image"], "concept": "?"} for row in rows), {"concept": "?"}]
    )
    texts = model.predict(more)  # a row with every cell missing is answered
    assert len(texts) == 6
    assert all(isinstance(text, str) for text in texts)
    known = {*run.learner.objective.vocabulary.tokens, "mib"}
    assert all(word in known for text in texts for word in text.split())
    answers = model.answers(shown)
    assert answers["prediction"].tolist() == texts[:5].tolist()
    again = om.load(model.save(tmp_path / "mib.omni"))
    assert again.predict(shown).tolist() == texts[:5].tolist()
    for wrong in (lambda: model.predict_proba(shown), lambda: model.predict(shown, abstain=0.5)):
        with pytest.raises(UsageError, match="predicts a text"):
            wrong()


def test_resumed_as_if_it_had_never_stopped(tmp_path, monkeypatch):
    table, options = scenes(tmp_path), SMALL | {"objective_options.decoder": "gru", "steps": 4, "val_every": 2}
    options.pop("objective_options.layers")
    whole = train(table, out=tmp_path / "whole", **options)

    own = Trainer.step

    def stop(self: Any, step: int, batch: Any) -> Any:
        if step == 3:
            raise KeyboardInterrupt
        return own(self, step, batch)

    monkeypatch.setattr(Trainer, "step", stop)
    with pytest.raises(KeyboardInterrupt):
        train(table, out=tmp_path / "cut", **options)
    monkeypatch.setattr(Trainer, "step", own)
    train(table, out=tmp_path / "cut", resume=True)
    folders = (whole.folder, tmp_path / "cut")
    one, two = (read_tensors(folder / "last" / "checkpoint.safetensors")[0] for folder in folders)
    assert one.keys() == two.keys()
    assert all((one[name] == two[name]).all() for name in one)


@pytest.mark.parametrize("head", ["prototype", "linear"])
def test_tasks_of_clusters_where_nobody_has_grouped(tmp_path, head):
    rows = [{k: v for k, v in row.items() if k != "concept"} for row in tables.read(scenes(tmp_path, rows=12))]
    options = {k: v for k, v in SMALL.items() if k != "group"} | {"head": head, "steps": 1, "val_every": 1}
    trained = train(tables.write(tmp_path / "plain.csv", rows), out=tmp_path / "run", **options)
    assert trained.summary()["step"] == 1


# -- what can be wrong ------------------------------------------------------------------------------------


BAD_CELLS = {
    "an empty caption": ('["", " "]', "row 2, column 'caption': the target is missing"),
    "no caption": ("", "row 2, column 'caption': the target is missing"),
    "broken JSON": ('["a blick', "row 2, column 'caption': .*write it as JSON"),
}


@pytest.mark.parametrize("case", BAD_CELLS)
def test_bad_captions_are_named(tmp_path, capsys, case):
    cell, message = BAD_CELLS[case]
    table = scenes(tmp_path, caption=cell)
    assert main(command("train", table, "--out", tmp_path / "run")) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert pd.Series([err]).str.contains(message).all(), err
    assert main(command("train", table, "--out", tmp_path / "run", "--skip-bad", steps=1, val_every=1)) == 0


def test_all_captions_empty(tmp_path, capsys):
    rows = [row | {"caption": "[]"} for row in tables.read(scenes(tmp_path))]
    table = tables.write(tmp_path / "scenes.csv", rows)
    assert main(command("train", table, "--out", tmp_path / "run", objective="caption")) == 1
    assert "the target is missing" in capsys.readouterr().err


def test_cells_that_are_no_text(tmp_path):
    rows = [{"x": float(i), "caption": ["a dog"] if i else np.zeros(3), "concept": CONCEPTS[i % 9]} for i in range(45)]
    with pytest.raises(om.OmnishotError, match="row 0, column 'caption': a text or a list of texts is needed"):
        train(rows, out=tmp_path / "run", **{k: v for k, v in SMALL.items() if k != "image"}, objective="caption")


def test_a_caption_longer_than_longest_is_cut_off_and_learned(tmp_path):
    table = scenes(tmp_path, caption="a blick " * 40)
    trained = train(table, out=tmp_path / "run", **SMALL | {"steps": 1, "val_every": 1})
    assert trained.summary()["step"] == 1


WRONG_OBJECTIVE_OPTIONS = {
    "an unknown decoder": ({"decoder": "transfomer"}, "unknown decoder 'transfomer': did you mean 'transformer'"),
    "an unknown option": ({"beem": 3}, "objective 'caption' has no option 'beem': did you mean 'beam'"),
    "another decoder's option": ({"decoder": "gru"}, "objective 'caption' has no option 'layers'"),
    "no beam": ({"beam": 0}, "beam must be at least 1, not 0"),
    "too short": ({"longest": 1}, "longest must be at least 2, not 1"),
    "a unit": ({"unit": "syllable"}, "unknown unit 'syllable'"),
    "ctc learns no word": ({"decoder": "ctc"}, "own_words=0"),
    "a width that heads cannot share": ({"heads": 3}, "cannot share a width of 8 among 3 heads"),
}
WRONG_OPTIONS = {
    "an unsuitable learner": ({"learner": "protonet"}, "'protonet' serves classify, not caption"),
    **{
        case: ({f"objective_options.{name}": value for name, value in options.items()}, message)
        for case, (options, message) in WRONG_OBJECTIVE_OPTIONS.items()
    },
}


@pytest.mark.parametrize("case", WRONG_OPTIONS)
def test_wrong_options_are_explained(tmp_path, capsys, case):
    options, message = WRONG_OPTIONS[case]
    options = {k: v for k, v in SMALL.items() if options.get("learner") != "protonet" or k != "inner_steps"} | options
    assert main(command("train", scenes(tmp_path, rows=4), "--out", tmp_path / "run", options=options)) == 2
    err = capsys.readouterr().err
    assert message in err, err


def test_adapting_without_a_caption(run, tmp_path, capsys):
    rows = tables.read(scenes(tmp_path))[:3]
    rows[1]["caption"] = ""
    table = tables.write(tmp_path / "few.csv", rows)
    assert main(["adapt", str(run.folder), str(table), "--out", str(tmp_path / "m.omni")]) == 1
    assert "row 3, column 'caption': the target is missing" in capsys.readouterr().err
    bare = tables.write(tmp_path / "bare.csv", [{"image": row["image"]} for row in rows])
    assert main(["adapt", str(run.folder), str(bare), "--out", str(tmp_path / "m.omni")]) == 2
    assert "has no column 'caption': adapting needs labelled rows" in capsys.readouterr().err
    rows[1]["caption"] = "a plain text"
    model = tmp_path / "m.omni"
    assert main(["adapt", str(run.folder), str(tables.write(table, rows)), "--out", str(model)]) == 0
    out = tmp_path / "answers.csv"
    assert main(["predict", str(model), str(bare), "--out", str(out)]) == 0
    with out.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 3


def test_options_of_texts_are_refused_for_classes(tmp_path):
    rows = [{"x": i % 7, "label": "abcdef"[i % 6]} for i in range(48)]
    with pytest.raises(UsageError, match="objective 'classify' has no option 'beam': it has no options"):
        train(rows, target="label", out=tmp_path / "run", objective_options={"beam": 2}, split=None)
