"""The training and validation tasks that a config describes: their classes, their noise, and the notes to the user."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from support import tables

from omnishot.errors import DataError, UsageError
from omnishot.runs.run import Run
from omnishot.training.task_loaders import task_loaders
from omnishot.training.train import Training, prepare


@pytest.fixture
def twelve(tmp_path: Path) -> list[dict[str, object]]:
    """Rows of 12 classes, which are split into 8, 2 and 2."""
    return [{"x": float(c + r), "y": float(r), "kind": f"k{c}"} for c in range(12) for r in range(8)]


def prepared(rows: object, out: Path, **options: object) -> Training:
    given = {n: v for n, v in tables.QUICK.items() if n not in ("image", "text", "tabular", "ways", "fusion")}
    return prepare(rows, out=out, target="kind", **{**given, **options})


def test_each_part_has_ways_of_its_own(twelve, tmp_path):
    with pytest.warns(UserWarning, match="validation has 2 classes, training tasks have 5: .* rest on 2-way tasks of"):
        training = prepared(twelve, tmp_path / "run")
    assert (training.tasks.ways, training.tasks.val_ways) == (5, 2)
    assert training.tasks.train.shape.ways == 5
    assert (training.record.ways, training.record.val_ways) == (5, 2)


def test_ways_are_checked_against_the_training_part_only(twelve, tmp_path):
    with pytest.warns(UserWarning, match="validation has 2 classes"):
        assert prepared(twelve, tmp_path / "run", ways=8).tasks.ways == 8
    with pytest.raises(DataError, match=r"9 ways need 9 classes .* the part 'train' has 8"):
        prepared(twelve, tmp_path / "run", ways=9)


def test_figures_are_of_as_many_ways_as_the_part_allows(twelve, tmp_path):
    with pytest.warns(UserWarning, match="validation has 2 classes"):
        training = prepared(twelve, tmp_path / "run")
    run = training.run()
    options = {"episodes": 2, "subsets": False, "save": False}
    assert run.evaluate(training.data, **options).figures[0].ways == 2
    assert run.evaluate(training.data, split="train", **options).figures[0].ways == 5
    with pytest.raises(DataError, match=r"3 ways need 3 classes .* the part 'test' has 2"):
        run.evaluate(training.data, ways=3, **options)


def test_a_fixed_head_has_the_same_ways_everywhere(twelve, tmp_path):
    fixed = {"learner": "maml", "head": "linear", "inner_steps": 1}
    with pytest.warns(UserWarning, match="fixed number of classes: training tasks have 2 classes, not 5, because"):
        training = prepared(twelve, tmp_path / "run", **fixed)
    assert (training.tasks.ways, training.tasks.val_ways) == (2, 2)
    run = training.run()
    assert run.evaluate(training.data, episodes=2, subsets=False, save=False).figures[0].ways == 2
    with pytest.raises(DataError, match=r"5 ways need 5 classes .* has 2"):
        prepared(twelve, tmp_path / "other", **fixed, ways=5)
    with pytest.warns(UserWarning, match="validation has 2 classes"):
        assert prepared(twelve, tmp_path / "other", learner="protomaml").tasks.ways == 5
    fresh = [{**row, "kind": f"new {row['kind']}"} for row in twelve[:24]]
    with pytest.raises(UsageError, match="linear head is for 2 classes, the task has 3"):
        run.evaluate(fresh, ways=3, episodes=2)


def test_it_is_said_that_there_is_no_validation(twelve, tmp_path):
    with pytest.warns(UserWarning, match="no validation part: the parameters of the last step are kept"):
        training = prepared(twelve[:40], tmp_path / "run")
    assert (training.tasks.ways, training.tasks.val_ways) == (3, None)


def test_every_training_cell_has_a_noise_level_of_its_own(run: Run) -> None:
    """From nearly clean to nearly nothing but noise, so that no level up to the one given is unknown later."""
    data = run.dataset()
    config = dataclasses.replace(run.config, noise={"image": 1.0}, tasks=8)
    noisy = task_loaders(data, config).train
    clean = task_loaders(data, dataclasses.replace(config, noise={})).train
    distances = []
    for step in range(4):
        pairs = zip(
            (noisy.batch(step).support, noisy.batch(step).query),
            (clean.batch(step).support, clean.batch(step).query),
            strict=True,
        )
        for a, b in pairs:
            column = list(data.store.modalities).index("photo")
            difference = (a.inputs["photo"] - b.inputs["photo"]).flatten(2).square().mean(-1).sqrt()
            distances.append(difference[b.present[..., column]])
    level = torch.cat(distances) / torch.cat(distances).max()
    assert level.min() < 0.15
    assert level.max() == 1
    quarters = torch.histc(level, 4, 0, 1) / len(level)
    assert (quarters > 0.05).all()
