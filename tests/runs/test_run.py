from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import tables

import omnishot as om
from omnishot.core.storage import read_tensors
from omnishot.episodes.loader import Loader
from omnishot.errors import DataError, UsageError
from omnishot.runs.checkpoint import CHECKPOINT
from omnishot.runs.run import Run
from omnishot.training.train import train
from omnishot.training.trainer import Interrupted, Trainer

FIELDS = ["metric", "mean", "ci95", "episodes", "learner", "fusion", "modalities", "ways", "shots", "queries"]
FIELDS += ["missing", "missing_in", "noise", "failure", "attack", "support_inputs", "query_inputs", "new", "open_set"]
FIELDS += ["gallery", "adapted", "transductive", "split", "seed"]
FIELDS += ["seconds"]


def checkpoints(folder: Path) -> dict[str, Any]:
    """All that training leaves, without the clock."""
    found: dict[str, Any] = {"metrics": (folder / "metrics.jsonl").read_text()}
    for name in ("best", "last"):
        tensors, state = read_tensors(folder / name / CHECKPOINT)
        clock = {"seconds": None, "waited": None}
        found[name] = ({key: tensor.numpy() for key, tensor in tensors.items()}, state | clock)
    return found


def assert_equal(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Bit for bit."""
    assert first["metrics"] == second["metrics"]
    for name in ("best", "last"):
        assert first[name][1] == second[name][1]
        assert first[name][0].keys() == second[name][0].keys()
        for key, value in first[name][0].items():
            assert np.array_equal(value, second[name][0][key]), key


@pytest.fixture
def quick(birds: Path, tmp_path: Path) -> Callable[..., Run]:
    """Trains on the birds for a moment; `out` is a name."""

    def call(out: str = "run", **options: Any) -> Run:
        return train(birds, out=tmp_path / out, **{"target": "species", **tables.QUICK, **options})

    return call


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """Makes something happen within a step of training."""

    def call(step: int, happen: Callable[[], None]) -> None:
        own = Trainer.step

        def patched(self, now, batch):
            if now == step:
                monkeypatch.setattr(Trainer, "step", own)
                happen()
            return own(self, now, batch)

        monkeypatch.setattr(Trainer, "step", patched)

    return call


def fail() -> None:
    raise RuntimeError("the machine stopped")


STOPS = [("protonet", how) for how in ("SIGTERM", "SIGINT", "crash", "crash at once")]


@pytest.mark.parametrize(
    ("learner", "how"),
    [
        *STOPS,
        ("maml", "SIGTERM"),
        pytest.param("finetune", "SIGTERM", marks=pytest.mark.slow),
        pytest.param("transfer", "SIGTERM", marks=pytest.mark.slow),
    ],
)
def test_a_resumed_run_equals_one_that_never_stopped(quick, stop_at, tmp_path, learner, how):
    options = {"learner": learner, "steps": 12, "dropout": 0.5, "noise": {"photo": 0.2}, "seed": 3, "val_every": 3}
    options |= {"adversarial": {"photo": 0.05}}
    whole = quick("whole", **options)
    if how.startswith("crash"):
        stop_at(0 if how.endswith("once") else 7, fail)
        with pytest.raises(RuntimeError, match="the machine stopped"):
            quick("stopped", **options)
    else:
        stop_at(4, lambda: os.kill(os.getpid(), getattr(signal, how)))
        with pytest.raises(Interrupted, match=r"stopped at step 5 of 12; to go on, .*--resume"):
            quick("stopped", **options)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    resumed = train(quick_table(whole), out=tmp_path / "stopped", resume=True)
    assert_equal(checkpoints(whole.folder), checkpoints(tmp_path / "stopped"))
    for name, parameter in whole.learner.params().items():
        assert torch.equal(parameter, resumed.learner.params()[name])
    assert whole.evaluate(episodes=4).metrics == resumed.evaluate(episodes=4).metrics


def quick_table(run: Run) -> str:
    """The path of the table that a run was trained on."""
    return str(run.record.source)


def test_resuming_a_finished_run_changes_nothing(quick, birds, tmp_path):
    before = checkpoints(quick().folder)
    assert_equal(before, checkpoints(train(birds, out=tmp_path / "run", resume=True).folder))


@pytest.mark.parametrize("cut", ["half of the last line", "a line after the checkpoint"])
def test_what_was_logged_after_the_checkpoint_is_logged_again_once(quick, birds, stop_at, tmp_path, cut):
    whole = quick("whole", val_every=2)
    stop_at(3, fail)
    with pytest.raises(RuntimeError):
        quick("stopped", val_every=2)
    log = tmp_path / "stopped" / "metrics.jsonl"
    if cut.startswith("half"):
        log.write_text(log.read_text()[:-4])
    train(birds, out=tmp_path / "stopped", resume=True)
    assert log.read_text() == (whole.folder / "metrics.jsonl").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.5}, "has lr 0.001, not 0.5: a resumed run keeps its options"),
        ({"steps": 9}, "has steps 6, not 9"),
        ({"ways": 2}, "has ways None, not 2"),
        ({"learner": "maml"}, "has learner 'protonet', not 'maml'"),
        ({"image.size": 32}, "has image .*'size': 16.*, not .*32"),
        ({"scale": 2.0}, "has scale None, not 2.0"),
        ({"lerner": "maml"}, "no option 'lerner'"),
        ({"modality": {"weight": "note"}}, "began with other roles or kinds of weight"),
        ({"objective": "regress"}, "began with other roles or kinds of the target"),
        ({"group": "note"}, "'note' is the group and cannot be an input too"),
    ],
)
def test_a_resumed_run_keeps_its_options(quick, birds, tmp_path, options, message):
    quick()
    with pytest.raises(UsageError, match=message):
        train(birds, out=tmp_path / "run", resume=True, **options)


def test_the_same_command_with_resume_is_right(quick):
    quick(ways=[2, 2], seed=4)
    quick(ways="2-2", seed="4", resume=True)
    quick(resume=True, image={"size": "16"})


def test_a_table_that_has_changed_is_not_resumed(birds, tmp_path):
    shutil.copytree(birds.parent, tmp_path / "own")
    table = tmp_path / "own" / "birds.csv"
    train(table, target="species", out=tmp_path / "run", **tables.QUICK)
    table.write_text(table.read_text().replace("day 0", "day 9", 1))
    with pytest.raises(DataError, match="has changed since"):
        train(table, out=tmp_path / "run", resume=True)
    with pytest.raises(DataError, match=r"birds.csv has changed since .* was trained: train again, or give a table"):
        Run.load(tmp_path / "run").evaluate(episodes=2)


def test_there_must_be_something_to_resume(quick, tmp_path):
    with pytest.raises(DataError, match="holds no run to resume: leave --resume out"):
        quick(resume=True)


def test_a_split_column_of_another_name_is_kept_when_resuming(birds, tmp_path):
    rows = tables.read(birds)
    for i, row in enumerate(rows):
        row["part"] = ("train", "train", "train", "val", "test")[i // 3 % 5]
    table = tables.write(birds.parent / "parted.csv", rows)
    run = train(table, target="species", split="part", out=tmp_path / "run", **tables.QUICK)
    assert run.record.rows == {"train": 18, "val": 6, "test": 6}
    assert train(table, out=tmp_path / "run", resume=True).record.rows == run.record.rows


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(quick):
    first, second, third = quick("a", seed=1), quick("b", seed=1), quick("c", seed=2)
    assert_equal(checkpoints(first.folder), checkpoints(second.folder))
    assert checkpoints(first.folder)["metrics"] != checkpoints(third.folder)["metrics"]
    one, two = (run.evaluate(episodes=4, seed=5).to_json() for run in (first, second))
    for figure in (*one, *two):
        figure.pop("seconds")
    assert one == two
    assert first.evaluate(episodes=4, seed=6).metrics != first.evaluate(episodes=4, seed=5).metrics


def test_a_loaded_run_gives_the_same_figures(run):
    again = om.load(run.folder)
    assert isinstance(again, Run)
    first, second = (each.evaluate(episodes=3, save=False).to_json() for each in (run, again))
    assert [f["mean"] for f in first] == [f["mean"] for f in second]


@pytest.mark.parametrize("learner", ["centroid", "logreg", "scratch"])
def test_a_learner_that_is_not_meta_trained_leaves_a_run_too(quick, learner):
    run = quick(learner=learner, **({"fit_steps": 2} if learner == "scratch" else {}))
    assert om.load(run.folder).evaluate(episodes=2).figures[0].learner == learner  # type: ignore[union-attr]
    logged = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [(record["step"], record["tuned"]) for record in logged] == [(0, "temperature")]


def test_without_a_validation_part_the_last_parameters_are_the_best(birds, tmp_path):
    rows = [row for row in tables.read(birds) if row["species"] in tables.SPECIES[:4]]
    table = tables.write(birds.parent / "four.csv", rows)
    run = train(table, target="species", out=tmp_path / "run", **tables.QUICK)
    assert run.record.rows["val"] == 0
    found = checkpoints(run.folder)
    for name, value in found["best"][0].items():
        assert np.array_equal(value, found["last"][0]["learner/" + name])


# -- model selection sees validation only ------------------------------------------------------------------


def spoiled(birds: Path, folder: Path, part: str) -> Path:
    """The table with a split column, in which the cells of one part are replaced by garbage."""
    shutil.copytree(birds.parent / "photos", folder / "photos")
    rng = np.random.default_rng(1)
    rows = tables.read(birds)
    for i, row in enumerate(rows):
        row["split"] = ("train", "train", "train", "val", "test")[i // 3 % 5]
        if row["split"] == part:
            row |= {"note": f"garbage {i}", "weight": str(1e6 * i), "photo": f"photos/garbage-{i}.png"}
            tables.picture(folder / row["photo"], i, rng)
    folder.mkdir(exist_ok=True)
    return tables.write(folder / "birds.csv", rows)


def test_training_and_selection_do_not_look_at_the_test_part(birds, tmp_path):
    found = {}
    for part in ("none", "test", "val", "train"):
        table = spoiled(birds, tmp_path / part, part)
        found[part] = train(table, target="species", out=tmp_path / part / "run", **tables.QUICK)
    parts = {part: checkpoints(run.folder) for part, run in found.items()}
    assert_equal(parts["none"], parts["test"])
    assert parts["none"]["metrics"] != parts["val"]["metrics"]
    assert parts["none"]["metrics"] != parts["train"]["metrics"]
    for name, value in parts["none"]["last"][0].items():  # validation selects, and that is all it does
        assert np.array_equal(value, parts["val"]["last"][0][name])


def test_evaluation_reads_the_test_part(birds, tmp_path):
    means = {}
    for part in ("none", "test"):
        table = spoiled(birds, tmp_path / part, part)
        run = train(table, target="species", out=tmp_path / part / "run", **tables.QUICK)
        means[part] = [figure.mean for figure in run.evaluate(episodes=5).figures]
        assert {figure.split for figure in run.figures()} == {"test"}
    assert means["none"] != means["test"]


# -- figures -----------------------------------------------------------------------------------------------


def test_every_figure_is_the_whole_record(run):
    for figure in run.evaluate(ways=2, shots=1, queries=2, episodes=3, seed=9, save=False).to_json():
        assert list(figure) == FIELDS
        assert (figure["ways"], figure["shots"], figure["queries"], figure["episodes"]) == (2, 1, 2, 3)
        assert (figure["learner"], figure["fusion"], figure["split"]) == ("protonet", "attention", "test")
        assert (figure["seed"], figure["transductive"]) == (9, False)
        assert np.isfinite(figure["mean"])
        assert np.isfinite(figure["ci95"])
        assert figure["seconds"] > 0
        assert json.loads(json.dumps(figure)) == figure


def test_what_was_done_to_the_cells_is_recorded_by_input(run):
    found = run.evaluate(episodes=2, missing={"image": 0.5}, noise={"note": 0.2}, save=False)
    assert {(tuple(f.corruption.missing.items()), tuple(f.corruption.noise.items())) for f in found.figures} == {
        ((("photo", 0.5),), (("note", 0.2),))
    }
    assert len({f.modalities for f in found.figures}) == 1
    half = run.evaluate(episodes=3, missing={"*": 0.5}, save=False)
    same = [f for f in run.evaluate(episodes=3, save=False).figures if f.corruption.missing]
    assert [(f.metric, f.mean, f.corruption.missing) for f in half.figures] == [
        (f.metric, f.mean, {"*": 0.5}) for f in same
    ]


def test_figures_are_kept_in_the_run_and_replace_those_of_the_same_protocol(quick):
    run = quick()
    assert run.figures() == []
    first = run.evaluate(episodes=2, subsets=False)
    run.evaluate(episodes=2, subsets=False)
    assert [f.to_json() | {"seconds": 0} for f in run.figures()] == [f | {"seconds": 0} for f in first.to_json()]
    run.evaluate(episodes=3, subsets=False)
    assert len(run.figures()) == 2 * len(first.figures)


@pytest.mark.parametrize(
    ("name", "number"),
    [("ways", 1), ("ways", 0), ("shots", 0), ("shots", -1), ("queries", 0), ("episodes", 1), ("seed", -1)],
)
def test_a_protocol_that_cannot_be_is_refused(run, name, number):
    with pytest.raises(UsageError, match=f"{name} must be at least"):
        run.evaluate(**{name: number})


def test_another_table_is_evaluated_whole_but_not_what_was_trained_on(run, birds, tmp_path):
    rows = tables.read(birds)
    seen = set(run.record.trained_on)
    new = [row for row in rows if row["species"] not in seen]
    fresh = tables.write(birds.parent / "fresh.csv", new)
    assert run.evaluate(fresh, episodes=2, ways=4, subsets=False, save=False).figures[0].ways == 4
    with pytest.raises(DataError, match=r"the run was trained on .*so the part 'test' would not measure new tasks"):
        run.evaluate(birds, episodes=2)
    with pytest.raises(DataError, match="4 ways need 4 classes"):
        run.evaluate(episodes=2, ways=4)


def test_a_run_of_a_table_in_memory_needs_a_table_again(tmp_path, birds):
    table = om.read_table(birds, target="species")
    run = train(table, out=tmp_path / "run", **tables.QUICK)
    again = Run.load(run.folder)
    with pytest.raises(DataError, match="was trained on a table in memory: give the table again"):
        again.evaluate(episodes=2)


# -- what is on disk ---------------------------------------------------------------------------------------


NEEDED = ("config.toml", "table.json", "best/checkpoint.safetensors")


@pytest.mark.parametrize("file", [*NEEDED, "last/checkpoint.safetensors", "metrics.jsonl", "evaluation.json"])
@pytest.mark.parametrize("kept", [None, 0.0, 0.01, 0.3, 0.6, 0.95, 0.99])
def test_a_run_folder_that_is_cut_off_is_named_and_never_taken_for_whole(run, birds, tmp_path, file, kept):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    Run.load(folder).evaluate(episodes=2, subsets=False)
    path = folder / file
    if kept is None:
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(data[: int(kept * len(data))])
    tell = file.partition("/")[0]

    def use() -> None:
        Run.load(folder).evaluate(episodes=2, subsets=False)

    if file in NEEDED or (file == "evaluation.json" and kept is not None):
        with pytest.raises(DataError, match=tell):
            use()
    else:
        use()
    if file in ("config.toml", "table.json", "last/checkpoint.safetensors") and kept is not None:
        with pytest.raises(DataError, match=tell):
            train(birds, out=folder, resume=True)
    elif file in ("config.toml", "table.json"):
        with pytest.raises(DataError, match="run"):
            train(birds, out=folder, resume=True)


def test_a_run_of_a_newer_format_is_refused(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    path = tmp_path / "run" / "table.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(DataError, match="has format 99, this Omnishot reads up to 1: upgrade Omnishot"):
        Run.load(tmp_path / "run")


@pytest.mark.parametrize("make", ["nothing", "file", "empty folder"])
def test_what_is_no_run_is_said_to_be_none(tmp_path, make):
    path = tmp_path / "x"
    if make == "file":
        path.write_text("hello")
    elif make == "empty folder":
        path.mkdir()
    with pytest.raises(DataError, match="x is not a run"):
        Run.load(path)


def test_a_run_that_was_stopped_before_its_first_checkpoint_says_so(quick, stop_at, tmp_path):
    stop_at(0, fail)
    with pytest.raises(RuntimeError):
        quick()
    with pytest.raises(DataError, match="has no best checkpoint yet: go on training with --resume"):
        Run.load(tmp_path / "run")


def test_a_run_tells_how_long_it_waited_for_data(quick, monkeypatch):
    batch = Loader.batch
    monkeypatch.setattr(Loader, "batch", lambda self, step: time.sleep(0.1) or batch(self, step))
    told = quick(steps=3).summary()
    assert 0.05 <= told["waited"] <= told["seconds"]  # for the first batch at least it had to wait


def test_patience_stops_early(quick):
    run = quick(steps=40, val_every=1, patience=2, lr=1e-12)
    assert run.summary()["step"] < 40
