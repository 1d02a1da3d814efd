from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support import tables

from omnishot.errors import DataError
from omnishot.experiment.check import examine
from omnishot.experiment.config import Config
from omnishot.experiment.dataset import build
from omnishot.table.reading import read_table
from omnishot.table.splits import assign


def test_a_good_table_is_clean(birds):
    report = examine(read_table(birds, target="species"))
    assert report.clean
    assert report.splits == {"train": {"rows": 18, "classes": 6}, "val": {"rows": 6, "classes": 2},
                             "test": {"rows": 6, "classes": 2}}  # fmt: skip


def test_check_and_train_find_the_same_cells(tmp_path):
    table = tables.birds(tmp_path)
    rows = tables.read(table)
    rows[3]["photo"] = "gone.png"
    rows[4]["weight"] = "heavy"
    rows[5] |= {"photo": "", "note": "", "weight": ""}
    rows[6]["species"] = ""
    tables.write(table, rows)
    table_read = read_table(table, target="species")
    skipped = build(table_read, Config(skip_bad=True)).skipped
    assert examine(table_read).bad == skipped
    assert [(cell.number, cell.column) for cell in skipped] == [
        (5, "photo"), (6, "weight"), (7, "(every input)"), (8, "species"),
    ]  # fmt: skip


def test_without_a_target_there_are_no_parts(birds):
    report = examine(read_table(birds))
    assert report.clean
    assert report.splits is None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"target": "y"}, "tasks that predict a number need a group column"),
        ({"target": "kind"}, "parts that share no class need at least 4 classes"),
        ({"target": "y", "group": "kind"}, None),
        ({"target": "kind", "modality": {"y": "note", "x": "note"}}, "has no column to learn from"),
    ],
)
def test_other_problems_of_a_table_are_listed(options, problem):
    frame = pd.DataFrame({"x": np.linspace(0, 1, 12), "y": np.linspace(0.5, 3, 12), "kind": ["a", "b", "c"] * 4})
    report = examine(read_table(frame, **options))
    assert report.bad == ()
    if problem is None:
        assert report.clean
    else:
        assert any(problem in each for each in report.problems)
        assert not report.clean
        assert any(f"problem: {listed}" in report.lines() for listed in report.problems)


def test_an_input_without_a_training_cell_is_a_problem_although_other_rows_have_some(birds):
    table = read_table(birds, target="species")
    frame = table.frame.copy()
    frame.loc[assign(table, 0) == "train", "photo"] = None
    report = examine(read_table(frame, target="species", folder=birds.parent))
    assert any("image input 'photo' cannot be learned from the 18 training rows" in each for each in report.problems)
    with pytest.raises(DataError, match="cannot be learned from the 18 training rows"):
        build(read_table(frame, target="species", folder=birds.parent), Config())
