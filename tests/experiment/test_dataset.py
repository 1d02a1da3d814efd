from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from omnishot.errors import DataError, UsageError
from omnishot.experiment.config import Config
from omnishot.experiment.dataset import Dataset, build
from omnishot.objectives.regress import Regress
from omnishot.table.reading import read_table


def made(
    rows: int = 40, classes: int = 8, config: Config | None = None, drop: tuple[int, ...] = (), **options
) -> Dataset:
    """`rows` of a number and a class each, in rotation, without the rows `drop`."""
    number = np.random.default_rng(0).normal(size=rows)
    kind = np.arange(rows) % classes
    frame = pd.DataFrame({"x": number, "kind": [f"k{i}" for i in kind], "speaker": [f"s{i}" for i in kind // 2],
                          "y": number * 3 + 100}).drop(index=list(drop)).reset_index(drop=True)  # fmt: skip
    options = {"target": "kind", "modality": {"speaker": "note", "y": "note"}} | options
    return build(read_table(frame, **options), config or Config())


def test_parts_share_no_class_and_labels_count_training_classes():
    data = made()
    names = [data.members(part) for part in ("train", "val", "test")]
    assert sum(map(len, names)) == 8
    assert set.union(*names) == set(data.table.classes)
    labels = data.labels()
    assert labels is not None
    training = data.parts == "train"
    assert (labels[~training] == -1).all()
    assert set(labels[training]) == set(range(len(names[0])))
    for label in range(len(names[0])):
        assert len(set(data.table.frame["kind"][labels == label])) == 1


def test_grouped_parts_share_no_group():
    data = made(group="speaker")
    names = [data.members(part) for part in ("train", "val", "test")]
    assert set.union(*names) == {"s0", "s1", "s2", "s3"}
    assert sum(map(len, names)) == 4


@pytest.mark.parametrize(("shots", "queries", "expected"), [(1, None, 4), (2, None, 3), (1, 2, 2)])
def test_queries_are_as_many_as_the_smallest_class_allows(shots, queries, expected):
    tasks = made().tasks("train", shots, queries)
    assert tasks.queries == expected
    draw = tasks.source.draw(np.random.default_rng(0), 3, tasks.ways, shots, tasks.queries)
    assert draw.support.shape == (3, tasks.ways * shots)
    for support, query in zip(draw.support, draw.query, strict=True):
        assert not set(support) & set(query)


def test_queries_are_15_where_there_is_enough():
    assert made(rows=400).tasks("train", 1).queries == 15


def test_small_classes_are_named_or_left_out():
    few = sorted(made().members("train"))[0]
    first, *others = range(int(few[1:]), 40, 8)
    data = made(drop=tuple(others))
    with pytest.raises(DataError, match=rf"at least 1 query need 2 rows of every class; fewer in: {few} \(1\)\."):
        data.tasks("train", 1)
    tasks = data.tasks("train", 1, skip_small=True)
    assert tasks.ways == len(data.members("train")) - 1
    assert first not in tasks.source.index.order


def test_a_part_without_rows_is_named():
    data = made(rows=20, classes=4)
    with pytest.raises(DataError, match="has no rows in the part 'val'"):
        data.tasks("val", 1)


def test_more_is_asked_for_than_any_class_has():
    with pytest.raises(DataError, match=r"9 shots and at least 1 query need 10 rows of every class"):
        made().tasks("train", 9, skip_small=True)


def test_rows_without_a_target_or_any_input_leave_their_part_if_bad_cells_are_skipped():
    frame = pd.DataFrame({"x": np.arange(40.0), "kind": [f"k{i % 8}" for i in range(40)]})
    frame.loc[3, "x"] = np.nan
    frame.loc[5, "kind"] = None
    table = read_table(frame, target="kind")
    with pytest.raises(DataError, match="2 bad cells"):
        build(table, Config())
    data = build(table, Config(skip_bad=True))
    assert np.flatnonzero(data.parts == "").tolist() == [3, 5]
    assert [cell.row for cell in data.skipped] == [3, 5]


def test_a_number_to_predict_is_standardised_by_the_training_rows():
    data = made(target="y", group="speaker", modality={"kind": "note"})
    assert isinstance(data.objective, Regress)
    y = data.table.frame["y"].to_numpy()
    training = y[data.parts == "train"]
    assert data.objective.mean == pytest.approx(training.mean())
    assert data.store.target is not None
    assert data.store.target.dtype == np.float32
    assert data.store.target[:, 0] * training.std() + training.mean() == pytest.approx(y, rel=1e-5)
    assert data.members("train") <= {"s0", "s1", "s2", "s3"}
    assert data.tasks("train", 2).ways is None


def test_modalities_are_fitted_on_training_rows_only():
    data = made()
    mean = data.table.frame["x"][data.parts == "train"].mean()
    assert data.store.modalities["tabular"].mean == pytest.approx((mean,))


def test_a_number_without_groups_is_no_task():
    with pytest.raises(UsageError, match="tasks that predict a number need a group column"):
        made(target="y")
