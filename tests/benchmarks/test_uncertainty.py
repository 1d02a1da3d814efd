"""The study of what probabilities are worth: what it trains, what it keeps, what it says."""

from __future__ import annotations

import json
import sys

import pytest
from support import tables


@pytest.fixture(scope="module")
def study(script):
    return script("studies/uncertainty")


@pytest.fixture
def parted(birds):
    """The birds, four species in the test part."""
    part = dict(zip(tables.SPECIES, ["train"] * 4 + ["val"] * 2 + ["test"] * 4, strict=True))
    rows = [row | {"split": part[row["species"]]} for row in tables.read(birds)]
    return tables.write(birds.parent / "study.csv", rows)


def record(error: float) -> dict:
    figures = [{"metric": name, "mean": 0.9, "ci95": 0.01} for name in
               ("accuracy", "calibration_error_raw", "accuracy_at_coverage_80", "open_set_auroc",
                "open_set_auroc_confidence")]  # fmt: skip
    figures.append({"metric": "calibration_error", "mean": error, "ci95": 0.003})
    return {"table": "birds", "learner": "protonet", "modalities": ["photo", "note"], "steps": 400, "seconds": 1.0,
            "temperature": 1.234, "figures": figures}  # fmt: skip


@pytest.mark.parametrize(("error", "reached"), [(0.02, "yes"), (0.0201, "**no**")])
def test_a_record_is_a_row_with_intervals_and_says_whether_the_goal_is_reached(study, error, reached):
    line = study.line(record(error))
    assert line.startswith("| birds (photo, note) | protonet | 90.0 ± 1.0 | 90.0 ± 1.0 | 2.0 ± 0.3 |")
    assert line.endswith(f"| 1.23 | {reached} | 400 |")
    rows = study.table_of([record(error)]).splitlines()
    assert len({row.count("|") for row in rows}) == 1


def test_it_trains_evaluates_keeps_and_goes_on(study, parted, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = [
        f"{parted}:species",
        "--learners",
        "protonet,centroid",
        "--steps",
        "2",
        "--ways",
        "2",
        "--queries",
        "1",
    ]
    arguments += ["--open-set", "2", "--val-episodes", "3", "--episodes", "4", "--markdown", "table.md"]
    monkeypatch.setattr(sys, "argv", ["uncertainty", *arguments])
    study.main()
    saved = json.loads((tmp_path / "uncertainty.json").read_text())
    assert [r["learner"] for r in saved["records"]] == ["protonet", "centroid"]
    for each in saved["records"]:
        by = {f["metric"]: f for f in each["figures"]}
        assert set(study.COLUMNS) <= by.keys()
        assert (by["accuracy"]["open_set"], by["open_set_auroc"]["open_set"]) == (0, 2)
        assert all(f["ways"] == 2 and f["episodes"] == 4 for f in each["figures"])
    assert (tmp_path / "table.md").read_text() == study.table_of(saved["records"]) + "\n"
    monkeypatch.setattr(study, "evaluate", None)
    study.main()  # all is there
    assert json.loads((tmp_path / "uncertainty.json").read_text()) == saved
    monkeypatch.setattr(sys, "argv", ["uncertainty", *arguments, "--seed", "1"])
    with pytest.raises(SystemExit, match="figures of another study"):
        study.main()
