from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import tables

import omnishot as om
from omnishot.analysis.comparison import cell as comparison_cell
from omnishot.analysis.comparison import compare as comparison
from omnishot.analysis.comparison.cell import Cell
from omnishot.analysis.comparison.leaderboard import Comparison, overlap, ranks
from omnishot.core.distributed import Ranks
from omnishot.errors import DataError, UsageError
from omnishot.evaluation.figure import Figure
from omnishot.runs.run import Run
from omnishot.training.budget import Budget, Pace
from omnishot.training.trainer import Interrupted, Trainer

FIGURE = Figure("accuracy", 0.5, 0.01, 600, "maml", "attention", ("photo", "words"), 5, 1, 15, seconds=6.0)
SMALL: dict[str, Any] = {name: value for name, value in tables.QUICK.items() if name not in ("learner", "steps")}
TEXT = {"modality": {"photo": "note", "weight": "note"}}  # a single input: quickest


def ranked(*scores: tuple[float, float]) -> list[int]:
    return ranks([replace(FIGURE, mean=mean, ci95=ci95) for mean, ci95 in scores])


# -- ranks and ties ----------------------------------------------------------------------------------------


def test_ties_are_ranked_with_the_first_that_they_overlap():
    assert ranked((0.9, 0.01), (0.895, 0.01), (0.8, 0.01), (0.5, 0.01)) == [1, 1, 3, 4]
    assert ranked((0.9, 0.01), (0.885, 0.01), (0.87, 0.01), (0.86, 0.01)) == [1, 1, 3, 3]  # the third is surely worse
    assert ranked((0.9, 0.01), (0.85, 0.01), (0.84, 0.1), (0.8, 0.01)) == [1, 2, 1, 4]  # wide enough for the best


def test_intervals_that_touch_are_a_tie():
    assert ranked((0.75, 0.125), (0.5, 0.125)) == [1, 1]
    assert ranked((0.75, 0.125), (0.5, 0.12)) == [1, 2]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.3)), min_size=1, max_size=8))
def test_rank_1_is_what_overlaps_the_best_and_firsts_do_not_overlap(scores):
    figures = [replace(FIGURE, mean=mean, ci95=ci95) for mean, ci95 in sorted(scores, reverse=True)]
    result = ranks(figures)
    assert [rank == 1 for rank in result] == [overlap(figures[0], figure) for figure in figures]
    assert all(result[rank - 1] == rank <= place for place, rank in enumerate(result, 1))
    assert all(overlap(figures[rank - 1], figure) for rank, figure in zip(result, figures, strict=True))
    for one, other in itertools.combinations(sorted(set(result)), 2):
        assert not overlap(figures[one - 1], figures[other - 1])


def test_less_error_ranks_first():
    cells = tuple(Cell(n, None, (replace(FIGURE, metric="mae", mean=m),)) for n, m in (("a", 2.0), ("b", 1.0)))
    result = Comparison(Path("out"), Budget(steps=1), {}, cells)
    assert [(rank, cell.learner) for rank, cell in result.ranked] == [(1, "b"), (2, "a")]


def constructed(folder: Path = Path("out"), **budget: Any) -> Comparison:
    """Four cells, of which one failed and two are tied."""

    def cell(learner: str, mean: float) -> Cell:
        figure = replace(FIGURE, learner=learner, mean=mean)
        return Cell(learner, "sum", (figure, replace(figure, metric="loss", mean=1.0)), None, 1200, 61.0, 62.0, 4321)

    cells = (cell("anil", 0.7), cell("maml", 0.8), Cell("boil", "sum", error="it refuses"), cell("protonet", 0.81))
    return Comparison(folder, Budget(**budget or {"steps": 1200}), {}, cells, ("a remark",))


def test_the_table_is_best_first_with_ties_and_failures():
    result = constructed()
    lines = [" ".join(line.split()) for line in str(result).splitlines()]
    assert lines[2:7] == [
        "rank learner fusion accuracy steps trained s/task parameters",
        "=1 protonet sum 81.0% ± 1.0 1,200 1 min 2 s 0.01 4,321",
        "=1 maml sum 80.0% ± 1.0 1,200 1 min 2 s 0.01 4,321",
        "3 anil sum 70.0% ± 1.0 1,200 1 min 2 s 0.01 4,321",
        "– boil sum failed – – – –",
    ]  # fmt: skip
    assert str(result).startswith("1,200 steps each, best first\n")
    assert "failed: boil: it refuses" in result.notes
    assert "a remark" in result.notes
    assert sum("600 test episodes, seed 0; 5-way 1-shot" in note for note in result.notes) == 1
    table = result.table
    assert list(table["learner"]) == ["protonet", "maml", "anil", "boil"]
    assert list(table["rank"].fillna(0)) == [1, 1, 3, 0]
    assert list(table["tied"]) == [True, True, False, False]
    assert list(table["mean"][:3]) == [0.81, 0.8, 0.7]
    assert table["error"][3] == "it refuses"
    assert [(f.learner, f.metric) for f in result.figures[:2]] == [("protonet", "accuracy"), ("protonet", "loss")]


def test_json_holds_it_all(tmp_path):
    result = constructed(tmp_path)
    saved = json.loads(json.dumps(result.to_json()))
    assert [(cell["rank"], cell["learner"]) for cell in saved["cells"]] == [
        (1, "protonet"), (1, "maml"), (3, "anil"), (None, "boil"),
    ]  # fmt: skip
    assert saved["cells"][0]["figures"][0] == result.figures[0].to_json()
    assert saved["budget"] == {"minutes": None, "steps": 1200}
    (tmp_path / "comparison.json").write_text(json.dumps(saved))
    assert str(Comparison.load(tmp_path)) == str(result)


@pytest.mark.parametrize("text", ["{}", '{"format": 1, "cells": [{}]}', '{"format": 99}', "[]", "{"])
def test_a_damaged_comparison_is_refused(tmp_path, text):
    (tmp_path / "comparison.json").write_text(text)
    with pytest.raises(DataError, match=r"comparison\.json"):
        Comparison.load(tmp_path)


# -- the budget --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"minutes": 1, "steps": 1}, {"minutes": 0}, {"steps": -1}, {"minutes": float("inf")}]
)
def test_there_is_one_budget(options):
    with pytest.raises(UsageError, match="budget"):
        Budget(**options)


def test_a_time_becomes_steps_with_validation_counted_in():
    pace = Pace(0.5, 2.0, "loop")
    assert pace.steps_within(200.0, None) == (360, 36)  # and ten validations
    assert pace.seconds(360, 36) == 200.0
    assert pace.steps_within(60.0, None) == (96, 16)  # ten would take a third of the time: six
    assert pace.seconds(96, 16) == 60.0
    assert pace.steps_within(60.0, 20) == (100, 20)
    assert pace.seconds(100, 20) == 60.0
    assert pace.steps_within(1.0, None) == (1, 1)
    assert Pace(1.0, 0.0, "loop").steps_within(20.0, None) == (20, 2)  # no validation tasks


def test_a_budget_of_time_settles_the_steps_of_the_run(birds, tmp_path, monkeypatch):
    timed = []

    def fixed_pace(learner, train, val, config, budget):
        timed.append((type(learner).__name__, budget))
        return Pace(1.0, 0.5, "vmap")

    monkeypatch.setattr(comparison_cell, "measure_pace", fixed_pace)
    result = quick(birds, tmp_path / "out", learners=["protonet", "centroid"], minutes=0.2, **TEXT)
    assert timed == [("ProtoNet", 12.0)]  # nothing is spent on what is not meta-trained
    cells = {cell.learner: cell for cell in result.cells}
    assert (cells["protonet"].steps, cells["protonet"].planned_seconds) == (10, 12.0)
    assert (cells["centroid"].steps, cells["centroid"].planned_seconds) == (0, None)
    config = Run.load(tmp_path / "out" / "protonet").config
    assert (config.steps, config.val_every, config.plan) == (10, 3, "vmap")
    slow = replace(cells["protonet"], seconds=15.0)
    notes = replace(result, cells=(slow,)).notes
    assert "took over 20% more than the budget of 12.0 s: protonet (15.0 s)" in notes
    assert not any(
        "more than the budget" in note for note in replace(result, cells=(replace(slow, seconds=14.0),)).notes
    )


def test_timing_leaves_the_learner_as_it_was(birds, tmp_path, monkeypatch):
    own, kept = comparison_cell.measure_pace, {}

    def fixed_pace(learner, train, val, config, budget):
        before = {name: p.detach().clone() for name, p in learner.named_parameters()}
        kept["pace"] = own(learner, train, val, config, budget)
        kept["same"] = all(p.equal(before[name]) for name, p in learner.named_parameters())
        return replace(kept["pace"], step=1.0, validation=0.0)

    monkeypatch.setattr(comparison_cell, "measure_pace", fixed_pace)
    quick(birds, tmp_path / "out", learners=["protonet"], minutes=0.1, **TEXT)
    assert kept["same"]
    assert kept["pace"].step > 0
    assert kept["pace"].validation > 0


# -- comparing ---------------------------------------------------------------------------------------------


def quick(table: Any, out: Path, **options: Any) -> Comparison:
    small = SMALL if "modality" not in options else {n: v for n, v in SMALL.items() if n not in ("image", "tabular")}
    return om.compare(table, out=out, **{"target": "species", "episodes": 4, **small, **options})


def bare(result: Comparison) -> dict[str, Any]:
    """All it result, without the clock."""
    saved = result.to_json()
    for cell in saved["cells"]:
        cell |= {"seconds": None, "planned_seconds": None, "task_seconds": None}
        for figure in cell["figures"]:
            figure["seconds"] = None
    return saved


def test_a_grid_leaves_a_run_a_cell_and_one_table(birds, tmp_path):
    out = tmp_path / "out"
    result = quick(birds, out, learners=["protonet", "maml"], fusions=["sum", "concat"], steps=3,
                  maml={"inner_steps": 1, "lr": 0.01}, lr=0.002)  # fmt: skip
    names = {"protonet+sum", "protonet+concat", "maml+sum", "maml+concat"}
    assert {path.name for path in out.iterdir() if path.is_dir()} == names
    for cell in result.cells:
        run = Run.load(out / cell.name)
        assert (run.config.learner, run.config.fusion, run.config.steps) == (cell.learner, cell.fusion, 3)
        assert run.config.lr == (0.01 if cell.learner == "maml" else 0.002)
        assert [f.to_json() for f in run.figures()] == [f.to_json() for f in cell.figures]
        assert cell.steps == 3
        assert cell.parameters == sum(p.numel() for p in run.learner.parameters())
        assert {f.split for f in cell.figures} == {"test"}
    assert Run.load(out / "maml+sum").config.options["inner_steps"] == 1
    means = [cell.figures[0].mean for _, cell in result.ranked]
    assert means == sorted(means, reverse=True)
    assert json.loads((out / "comparison.json").read_text()) == result.to_json()
    assert (out / "comparison.png").read_bytes()[:4] == b"\x89PNG"
    for name in ("comparison.html", "comparison.svg"):
        text = (out / name).read_text()
        assert all(f"{cell.learner} + {cell.fusion}" in text for cell in result.cells)


def test_subsets_are_evaluated_on_request(birds, tmp_path):
    result = quick(birds, tmp_path / "out", learners=["centroid"], steps=1, subsets=True)
    assert len({f.condition for f in result.figures}) == 5
    assert "half of all cells missing" in (tmp_path / "out" / "comparison.html").read_text()


def test_nothing_is_fused_at_level_early(birds, tmp_path):
    result = quick(birds, tmp_path / "out", learners=["protonet"], level="early", steps=1)
    assert result.cells[0].figures[0].fusion == "plain features"
    with pytest.raises(UsageError, match="nothing is fused: leave out fusion"):
        quick(birds, tmp_path / "given", learners=["protonet"], fusions=["sum"], level="early", steps=1)
    assert not (tmp_path / "given").exists()


def test_a_single_input_has_no_fusion(birds, tmp_path):
    result = quick(birds, tmp_path / "out", learners=["centroid"], fusions=["sum", "concat"], steps=1, **TEXT)
    assert [cell.name for cell in result.cells] == ["centroid"]
    assert result.notes.count("there is nothing to fuse in a single input, note: every learner is trained once") == 1
    assert "fusion" not in str(result)


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int, Callable[[], None]], None]:
    """Makes something happen once, within a step of training of a learner."""

    def call(learner: str, step: int, happen: Callable[[], None]) -> None:
        own = Trainer.step

        def patched(self, now, batch):
            if (self.config.learner, now) == (learner, step):
                monkeypatch.setattr(Trainer, "step", own)
                happen()
            return own(self, now, batch)

        monkeypatch.setattr(Trainer, "step", patched)

    return call


GRID: dict[str, Any] = {"learners": ["centroid", "protonet", "maml"], "maml": {"inner_steps": 1}, **TEXT}


def crash() -> None:
    raise RuntimeError("the machine stopped")


@pytest.mark.parametrize("how", ["signal", "crash"])
def test_a_resumed_comparison_equals_one_that_never_stopped(birds, tmp_path, monkeypatch, stop_at, how):
    monkeypatch.setattr(comparison_cell, "measure_pace", lambda *_: Pace(1.0, 0.0, "loop"))
    whole = quick(birds, tmp_path / "whole", minutes=0.1, val_every=2, **GRID)
    if how == "signal":
        stop_at("protonet", 3, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Interrupted, match=r"stopped within protonet; to go on, repeat the command with --resume"):
            quick(birds, tmp_path / "out", minutes=0.1, val_every=2, **GRID)
    else:
        stop_at("protonet", 3, crash)
        with pytest.raises(RuntimeError, match="the machine stopped"):
            quick(birds, tmp_path / "out", minutes=0.1, val_every=2, **GRID)
    done = (tmp_path / "out" / "centroid" / "evaluation.json").stat().st_mtime_ns
    saved = Comparison.load(tmp_path / "out")
    assert [bool(cell.figures) for cell in saved.cells] == [True, False, False]
    resumed = quick(birds, tmp_path / "out", minutes=0.1, val_every=2, resume=True, **GRID)
    assert bare(resumed) == bare(whole)
    assert (tmp_path / "out" / "centroid" / "evaluation.json").stat().st_mtime_ns == done
    for name in ("protonet", "maml"):
        for one, other in zip(
            *(Run.load(tmp_path / o / name).learner.parameters() for o in ("whole", "out")), strict=True
        ):
            assert one.equal(other)
    again = quick(birds, tmp_path / "out", minutes=0.1, val_every=2, resume=True, **GRID)
    assert again.to_json() == resumed.to_json()


def test_a_cell_that_was_cut_off_keeps_the_steps_that_were_settled(birds, tmp_path, monkeypatch, stop_at):
    monkeypatch.setattr(comparison_cell, "measure_pace", lambda *_: Pace(1.0, 0.0, "loop"))
    stop_at("protonet", 3, crash)
    options = {"learners": ["protonet"], "minutes": 0.1, **TEXT}
    with pytest.raises(RuntimeError):
        quick(birds, tmp_path / "out", **options)
    monkeypatch.setattr(comparison_cell, "measure_pace", lambda *_: Pace(2.0, 0.0, "loop"))
    (cell,) = quick(birds, tmp_path / "out", resume=True, **options).cells
    assert (cell.steps, cell.planned_seconds) == (6, 6.0)


@pytest.mark.parametrize("step", [0, 3])
def test_the_first_cell_cut_off_is_resumed(birds, tmp_path, stop_at, step):
    options = {"learners": ["protonet"], "steps": 5, "val_every": 2, **TEXT}
    whole = quick(birds, tmp_path / "whole", **options)
    stop_at("protonet", step, crash)
    with pytest.raises(RuntimeError):
        quick(birds, tmp_path / "out", **options)
    assert bare(quick(birds, tmp_path / "out", resume=True, **options)) == bare(whole)


def test_other_options_or_another_table_are_not_resumed(birds, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(DataError, match="holds no comparison to resume: leave --resume out"):
        quick(birds, out, learners=["centroid"], steps=1, resume=True)
    options = {"learners": ["centroid", "logreg"], "steps": 1, **TEXT}
    quick(birds, out, **options)
    with pytest.raises(UsageError, match=r"is not empty: go on with it \(resume, --resume\), or give another folder"):
        quick(birds, out, **options)
    for other, message in (
        ({"learners": ["centroid"]}, r"has learners \['centroid', 'logreg'\], not \['centroid'\]"),
        ({"steps": 2}, "has steps 1, not 2"),
        ({"steps": None, "minutes": 1}, "has minutes None, not 1"),
        ({"episodes": 5}, "has episodes 4, not 5"),
        ({"lr": 0.5}, r"has centroid\.lr 0\.001, not 0\.5"),
        ({"modality": {"photo": "note"}}, "has schema"),
    ):
        with pytest.raises(UsageError, match=message):
            quick(birds, out, resume=True, **{**options, **other})
    table = pd.read_csv(birds)
    table.loc[0, "note"] = "another"
    table.to_csv(birds.parent / "changed.csv", index=False)
    with pytest.raises(DataError, match=r"the table is not the one that the comparison in .* began with"):
        quick(birds.parent / "changed.csv", out, resume=True, **options)


def test_a_cell_that_fails_is_recorded_and_the_others_go_on(birds, tmp_path, monkeypatch, stop_at):
    def diverge() -> None:
        raise DataError("the loss is nan")

    stop_at("maml", 1, diverge)
    options = {"learners": ["maml", "centroid"], "steps": 2, "maml": {"inner_steps": 1}, **TEXT}
    result = quick(birds, tmp_path / "out", **options)
    assert [(cell.learner, cell.error) for cell in result.failed] == [("maml", "the loss is nan")]
    assert [cell.learner for _, cell in result.ranked] == ["centroid"]
    assert "failed: maml: the loss is nan" in str(result)
    assert "the loss is nan" in (tmp_path / "out" / "comparison.html").read_text()
    again = quick(birds, tmp_path / "out", resume=True, **options)  # is tried again
    assert again.failed == []
    assert len(again.ranked) == 2


def test_numbers_are_compared_where_the_method_serves_them(tmp_path):
    rng = np.random.default_rng(0)
    rows = [{"x": f"{x:.3f}", "y": f"{g * x:.3f}", "sensor": f"s{g}"} for g in range(8) for x in rng.normal(size=8)]
    table = tables.write(tmp_path / "numbers.csv", rows)
    result = om.compare(
        table, out=tmp_path / "out", learners=["protonet", "maml"], steps=2, episodes=3, target="y", group="sensor",
        shots=3, queries=4, val_episodes=2, dim=8, tabular={"width": 8}, maml={"inner_steps": 1},
    )  # fmt: skip
    (failed,) = result.failed
    assert "learner 'protonet' serves classify, not regress" in (failed.error or "")
    assert result.figures[0].metric == "mae"
    assert "mean absolute error" in str(result)


def test_everything_may_fail(birds, tmp_path):
    result = quick(birds, tmp_path / "out", learners=["centroid", "logreg"], steps=1, ways=9, **TEXT)
    assert len(result.failed) == 2
    assert sum(note.startswith("failed: centroid, logreg: 9 ways need 9 classes") for note in result.notes) == 1
    assert "9 ways need" in (tmp_path / "out" / "comparison.html").read_text()
    assert len(result.table) == 2
    assert not (tmp_path / "out" / "comparison.png").exists()


def test_a_table_in_memory(birds, tmp_path):
    frame = pd.read_csv(birds)[["note", "species"]]
    options = {"learners": ["protonet", "centroid"], "steps": 2, "modality": {"note": "text"}}
    memory = quick(frame, tmp_path / "memory", **options)
    assert memory.failed == []
    frame.to_csv(tmp_path / "file.csv", index=False)
    file = quick(tmp_path / "file.csv", tmp_path / "file", **options)
    assert [f.mean for f in memory.figures] == [f.mean for f in file.figures]
    assert bare(quick(frame, tmp_path / "memory", resume=True, **options)) == bare(memory)


# -- options -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inner_steps": 3}, r"no option 'inner_steps' for learner 'protonet': .*maml has it: give it to maml alone, "
                             r"maml\.inner_steps \(--maml\.inner-steps\)"),
        ({"inner_stps": 3}, "no option 'inner_stps' for learner 'protonet'"),
        ({"maml": {"inner_stps": 3}}, "no option 'inner_stps' for learner 'maml': did you mean 'inner_steps'"),
        ({"maml.scale": 3}, "no option 'scale' for learner 'maml'"),
        ({"anil": {"inner_steps": 3}}, "options of 'anil', which is not among the learners compared"),
        ({"maml": 3}, "'maml' is a learner: give its options"),
        ({"maml": {"ways": 3}}, "'ways' must be the same for all learners compared: give it without maml"),
        ({"maml.seed": 3}, "'seed' must be the same for all"),
        ({"learner": "maml"}, "'learner' is set by the comparison"),
        ({"learners": ["mamml"]}, "unknown learner 'mamml': did you mean 'maml'"),
        ({"learners": []}, "give a list of learners"),
        ({"learners": "maml"}, "give a list of learners"),
        ({"fusions": ["atention"]}, "unknown fusion 'atention': did you mean 'attention'"),
        ({"episodes": 1}, "episodes must be at least 2"),
        ({"minutes": 3}, "give either minutes or steps"),
        ({"target": "specie"}, "unknown column 'specie'"),
        ({"lr": "much"}, "option 'lr' takes float"),
        ({"photo": {"sise": 3}}, "has no option 'sise'"),
    ],
)  # fmt: skip
def test_invalid_options_are_refused_and_leave_nothing(birds, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        quick(birds, tmp_path / "out", **{"learners": ["protonet", "maml"], "steps": 1, **options})
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(birds, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty: give another folder"):
        quick(birds, tmp_path, learners=["centroid"], steps=1)


def test_ranks_of_processes_are_refused(birds, tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "join", lambda: Ranks(0, 2))
    with pytest.raises(UsageError, match="leave torchrun out"):
        quick(birds, tmp_path / "out", learners=["centroid"], steps=1)


def test_options_of_one_learner_replace_those_of_all(birds, tmp_path):
    options = {"text": {"width": 8, "heads": 2, "layers": 1}, "centroid.text.layers": 2, "centroid": {"lr": 0.5}}
    result = quick(birds, tmp_path / "out", learners=["centroid", "logreg"], steps=1, **{**options, **TEXT})
    assert result.settings["options"]["centroid"]["text"] == {"width": 8, "heads": 2, "layers": 2}
    assert result.settings["options"]["logreg"]["text"] == {"width": 8, "heads": 2, "layers": 1}
    assert [result.settings["options"][name]["lr"] for name in ("centroid", "logreg")] == [0.5, 0.001]


def test_options_in_a_file(birds, tmp_path):
    (tmp_path / "options.toml").write_text('target = "species"\nlr = 0.5\ndim = 4\n[maml]\ninner_steps = 2\n')
    result = quick(birds, tmp_path / "out", learners=["maml"], steps=1, config=tmp_path / "options.toml", **TEXT)
    assert result.settings["options"]["maml"]["inner_steps"] == 2
    assert (result.settings["options"]["maml"]["lr"], result.settings["options"]["maml"]["dim"]) == (0.5, 8)
