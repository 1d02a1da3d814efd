"""No class that a frozen encoder was trained on is tested as if it were new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import tables

from omnishot.errors import DataError
from omnishot.experiment.build import restore_modality
from omnishot.modality.features import Features, frozen_weights
from omnishot.runs.record import RunRecord
from omnishot.runs.run import Run
from omnishot.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore:validation has")
ROWS = [{"x": float(c + r), "y": float(r), "kind": f"k{c:02}"} for c in range(12) for r in range(8)]
OPTIONS = {n: v for n, v in tables.QUICK.items() if n not in ("image", "text", "tabular", "fusion")}


def trained(rows: Any, out: Path, frozen: Run | None = None, **options: Any) -> Run:
    inputs = {"tabular": {"frozen": str(frozen.folder)}} if frozen else {}
    return train(rows, out=out, **{**OPTIONS, "target": "kind", **inputs, **options})


@pytest.fixture
def first(tmp_path: Path) -> Run:
    return trained(ROWS, tmp_path / "first")


def test_another_split_keeps_what_the_encoder_was_trained_on_in_training(first, tmp_path):
    table = tables.write(tmp_path / "table.csv", ROWS)
    other = trained(table, tmp_path / "other", split_seed=1)
    assert set(other.record.trained_on) != set(first.record.trained_on)
    second = trained(table, tmp_path / "second", first, split_seed=1)
    assert second.record.trained_on == first.record.trained_on
    assert not second.dataset().members("test") & set(first.record.trained_on)  # as `evaluate` splits it again


def test_the_seed_does_not_change_the_split_and_the_split_seed_does(first, tmp_path):
    assert trained(ROWS, tmp_path / "a", seed=5).record.trained_on == first.record.trained_on
    assert trained(ROWS, tmp_path / "b", split_seed=5).record.trained_on != first.record.trained_on


def test_what_it_was_trained_on_is_stored_and_carried_on(first, tmp_path):
    few = [row for row in ROWS if row["kind"] not in first.record.trained_on]
    more = [{**row, "kind": f"new {row['kind']}"} for row in ROWS]
    second = trained(few + more, tmp_path / "second", first)
    (features,) = second.learner.network.modalities.values()
    assert isinstance(features, Features)
    assert features.trained_on == {"kind": first.record.trained_on}
    restored = restore_modality("a", json.loads(json.dumps(features.to_json())), frozen_weights({"a": features}))
    assert restored == features
    (again,) = Run.load(second.folder).learner.network.modalities.values()
    assert again == features
    both = tuple(sorted({*first.record.trained_on, *second.record.trained_on}))
    assert RunRecord.read(second.folder).encoders_trained_on == {"kind": both}


def test_another_column_of_the_same_names_is_another_thing(first, tmp_path):
    renamed = [{"x": row["x"], "y": row["y"], "sort": row["kind"]} for row in ROWS]
    second = trained(renamed, tmp_path / "second", first, target="sort", split_seed=1)
    assert second.record.trained_on != first.record.trained_on
    assert second.record.encoders_trained_on == {
        "kind": first.record.trained_on, "sort": second.record.trained_on
    }  # fmt: skip


def test_a_split_column_that_tests_a_known_class_is_refused(first, tmp_path):
    parts = {"k00": "test", "k01": "test", "k02": "val", "k03": "val", first.record.trained_on[0]: "test"}
    rows = [{**row, "split": parts.get(row["kind"], "train")} for row in ROWS]
    with pytest.raises(DataError, match=f"a frozen encoder was trained on .*{first.record.trained_on[0]}"):
        trained(rows, tmp_path / "second", first)


def test_too_few_new_classes_for_a_test_part_are_said(first, tmp_path):
    rows = [row for row in ROWS if row["kind"] in first.record.trained_on]
    with pytest.raises(DataError, match="a frozen encoder was trained on 8 of the 8 distinct kind, so that 0 remain"):
        trained(rows, tmp_path / "second", first)


def test_another_table_is_refused_that_holds_what_a_frozen_encoder_was_trained_on(first, tmp_path):
    parts = ["train"] * 64 + ["val"] * 16 + ["test"] * 16
    more = [{**row, "kind": f"new {row['kind']}", "split": part} for row, part in zip(ROWS, parts, strict=True)]
    second = trained(more, tmp_path / "second", first)
    known = [row for row in ROWS if row["kind"] in first.record.trained_on]
    with pytest.raises(DataError, match=r"a frozen encoder of the run was trained on .* would not measure new tasks"):
        second.evaluate(known, episodes=2)
    fresh = [row for row in ROWS if row["kind"] not in first.record.trained_on]
    assert second.evaluate(fresh, episodes=2, save=False).figures[0].ways == 4
    split = [{**row, "split": "test"} for row in known]
    with pytest.raises(DataError, match="a frozen encoder of the run was trained on"):
        second.evaluate(split, episodes=2)
