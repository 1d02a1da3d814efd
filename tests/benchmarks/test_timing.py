"""What the benchmarks report: ratios, required values, and tables of them."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def timing(script) -> ModuleType:
    return script("timing")


def test_contenders_take_turns_and_the_first_rounds_do_not_count(timing):
    calls: list[str] = []
    runs = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = timing.interleave(runs, rounds=3, warmup=2)
    assert calls == ["a", "b"] * 5
    assert [len(each) for each in seconds.values()] == [3, 3]


def test_a_ratio_is_taken_within_each_round(timing):
    # The machine is four times slower in the last round, for both alike.
    seconds = {"ours": np.array([1.0, 1.0, 4.0]), "plain": np.array([2.0, 3.0, 8.0])}
    ours, plain = timing.compare("step", "steps", 10, seconds, "plain", at_least=1.8)
    assert (ours["rate"], ours["best_rate"], ours["ratio"], ours["unit"]) == (10, 10, 2.0, "steps/s")
    assert (ours["required"], ours["met"]) == ("≥ 1.8×", True)
    assert plain["ratio"] == 1
    assert "required" not in plain
    assert not timing.compare("step", "steps", 10, seconds, "plain", at_least=2.5)[0]["met"]


def test_a_figure_is_the_median_with_quartiles_and_what_is_required(timing):
    figure = timing.figure("start", "help", [1, 2, 3, 4, 90], "ms", at_most=3)
    assert (figure["value"], figure["quartiles"], figure["rounds"]) == (3, [2, 4], 5)
    assert (figure["required"], figure["met"]) == ("≤ 3 ms", True)
    assert not timing.figure("start", "help", [3.1], "ms", at_most=3)["met"]
    assert timing.figure("start", "help", [3.1], "ms", at_least=3)["met"]
    assert "required" not in timing.figure("start", "help", [3.1], "ms")


def test_every_kind_of_record_is_a_row_of_one_table(timing):
    seconds = {"ours": np.array([1.0]), "plain": np.array([2.0])}
    records = [
        *timing.compare("step", "steps", 1, seconds, "plain", at_least=3),
        timing.figure("start", "help", [1, 2], "s", at_most=1),
        {"benchmark": "waiting", "step_ms": 3.5},
    ]
    header, rule, *rows = timing.comparison(records)
    assert len(rows) == 4
    assert {line.count("|") for line in (header, rule, *rows)} == {8}
    assert "≥ 3×: **no**" in rows[0]
    assert "step_ms 3.5" in rows[3]


def test_the_files_hold_figures_and_the_machine(timing, tmp_path, capsys):
    paths = {"json": tmp_path / "f.json", "markdown": tmp_path / "f.md"}
    args = timing.arguments("", 3).parse_args([f"--{kind}={path}" for kind, path in paths.items()])
    assert args.rounds == 3
    timing.report(args, [timing.figure("start", "help", [1], "s")])
    written = json.loads(paths["json"].read_text())
    assert written["figures"][0]["value"] == 1
    assert {"cpu", "cores", "threads", "accelerator", "torch"} <= set(written["machine"])
    assert paths["markdown"].read_text() == capsys.readouterr().out


@pytest.mark.parametrize("script", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_every_benchmark_can_be_run_by_run_all(script):
    """It takes the options that all take, and reports the way that all do."""
    if script.stem not in ("contenders", "timing", "run_all"):
        text = script.read_text(encoding="utf-8")
        assert "timing.arguments(" in text
        assert "timing.report(args" in text
