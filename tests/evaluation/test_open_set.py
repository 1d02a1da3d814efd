"""Rows of none of a task's classes: whether they are told from the others, and how that is said."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import tables

import omnishot as om
from omnishot.cli.main import main
from omnishot.episodes.loader import Loader, Shape
from omnishot.episodes.tasks import GroupTasks
from omnishot.errors import DataError, UsageError
from omnishot.evaluation.evaluator import Evaluator
from omnishot.evaluation.figure import Figure, interval
from omnishot.evaluation.open_set import auroc, open_set_results
from omnishot.objectives.classify import Classify


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 30), st.integers(1, 6))
def test_auroc_counts_pairs(seed, inside, outside, distinct):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(distinct + 1, size=inside), rng.integers(distinct, size=outside)  # with ties
    wanted = np.mean([(x > y) + 0.5 * (x == y) for x in a for y in b])
    assert auroc(a.astype(float), b.astype(float)) == pytest.approx(wanted, abs=1e-12)


def test_scores_that_are_no_numbers_tell_nothing_apart():
    assert auroc(np.full(3, np.nan), np.full(4, np.nan)) == 0.5
    assert auroc(np.array([1.0, np.nan]), np.array([0.0])) == 0.5


def test_familiar_rows_have_high_scores():
    scores = torch.tensor([[5.0, 5.0], [1.0, -9.0]])
    found = Classify(2.0).familiarity(scores)
    assert found["open_set_auroc"].tolist() == [5, 1]  # near both classes, though it cannot be said which
    assert found["open_set_auroc_confidence"] == pytest.approx([0.5, 1 / (1 + np.exp(-5))])


def loader_of(run: Any, ways: int, shots: int = 1) -> Loader:
    data = run.dataset()
    codes = data.table.labels[0]
    source = GroupTasks(np.zeros(len(codes), dtype=np.int64), np.arange(len(codes)), codes)
    return Loader(data.store, source, Shape(2, ways, shots, 1), seed=3)


def test_what_a_learner_knows_is_told_from_what_it_does_not(run):
    """A learner that scores a row by what its photo shows: the brightness that stands for its class."""
    loader = loader_of(run, 6)

    def shown(rows):
        return rows.inputs["photo"].flatten(1).mean(1) + 100.0 * (~rows.present[:, 0])

    class Knows:
        objective = Classify()

        def adapt(self, support):
            return {"seen": shown(support)}

        def answer(self, state, query):
            assert query.target is None
            return -(shown(query)[:, None] - state["seen"]).abs()

    mean, half = open_set_results(Evaluator(Knows(), loader, 40), 3)["open_set_auroc"]
    assert mean - 3 * half > 0.5  # some rows have no photo

    luck = torch.Generator().manual_seed(0)

    class Guesses(Knows):
        def answer(self, state, query):
            return torch.rand(len(query), 3, generator=luck)

    mean, half = open_set_results(Evaluator(Guesses(), loader, 40), 3)["open_set_auroc"]
    assert abs(mean - 0.5) < 3 * half


def test_every_episode_counts_once_whoever_draws_it(run, monkeypatch):
    from omnishot.evaluation import open_set

    seen = []
    own = open_set.auroc
    monkeypatch.setattr(open_set, "auroc", lambda a, b: seen.append(own(a, b)) or seen[-1])
    found = open_set_results(Evaluator(run.learner, loader_of(run, 5), 5), 2)
    assert len(seen) == 2 * 5
    assert found["open_set_auroc"] == interval(seen[::2])
    assert open_set_results(Evaluator(run.learner, loader_of(run, 5), 5), 2) == found
    other = dataclasses.replace(loader_of(run, 5), seed=4)
    assert open_set_results(Evaluator(run.learner, other, 5), 2) != found


@pytest.fixture(scope="module")
def wide(birds, tmp_path_factory):
    """A run whose test part has four classes."""
    rows = [row | {"part": part} for row in tables.read(birds)
            for part in [("train", "val", "test")[min(tables.SPECIES.index(row["species"]) // 3, 2)]]]  # fmt: skip
    table = tables.write(birds.parent / "wide.csv", rows)
    out = tmp_path_factory.mktemp("wide") / "run"
    return om.train(table, target="species", split="part", ways=2, out=out, **tables.QUICK)


def test_a_run_is_evaluated_with_classes_outside(wide):
    plain = wide.evaluate(episodes=6, save=False)
    found = wide.evaluate(episodes=6, open_set=2)
    assert [dataclasses.replace(f, seconds=0) for f in found.figures[: len(plain.figures)]] == [
        dataclasses.replace(f, seconds=0) for f in plain.figures
    ]
    more = found.figures[len(plain.figures) :]
    assert [f.metric for f in more] == ["open_set_auroc", "open_set_auroc_confidence"]
    for figure in more:
        assert (figure.ways, figure.open_set, figure.episodes) == (2, 2, 6)
        assert 0 <= figure.mean <= 1
        assert "query rows of 2 further classes" in str(figure)
        assert Figure.from_json(figure.to_json()) == figure
    assert found.metrics["open_set_auroc"] == more[0].mean
    assert more[0] in wide.figures()
    missing = wide.evaluate(episodes=4, open_set=1, missing={"*": 0.5}, save=False).figures[-1]
    assert (missing.corruption.missing, missing.open_set) == ({"*": 0.5}, 1)


def test_figures_from_before_there_were_any_have_none():
    record = Figure("accuracy", 0.5, 0.1, 600, "maml", "none", ("photo",), 5, 1, 15).to_json()
    del record["open_set"]
    assert Figure.from_json(record).open_set == 0


def test_a_part_with_too_few_classes_is_named(wide):
    needs = r"2 ways and 3 open-set classes need 5 classes .* part 'test' has 4: ask for 2 open-set classes or fewer"
    with pytest.raises(DataError, match=needs):
        wide.evaluate(episodes=4, open_set=3)
    with pytest.raises(DataError, match=r"need 5 classes .* has 4: ask for fewer ways, or add rows of other classes"):
        wide.evaluate(episodes=4, ways=4, open_set=1)


def test_what_cannot_be_asked_is_refused(wide, tmp_path):
    with pytest.raises(UsageError, match="open_set must be at least 0, not -1"):
        wide.evaluate(episodes=4, open_set=-1)
    with pytest.raises(UsageError, match="not scored under an attack"):
        wide.evaluate(episodes=4, open_set=1, attack="fgsm", epsilon={"photo": 0.1})
    rows = [{"x": float(i), "who": f"w{i % 6}", "y": float(i % 7)} for i in range(60)]
    options = {"learner": "maml", "steps": 1, "val_episodes": 2, "tabular": {"width": 4}}
    run = om.train(rows, target="y", group="who", objective="regress", out=tmp_path / "numbers", **options)
    with pytest.raises(UsageError, match="does not predict a class"):
        run.evaluate(rows, episodes=4, open_set=1, split="train")


def test_the_command_line_says_both(wide, capsys):
    assert main(["evaluate", str(wide.folder), "--episodes", "4", "--open-set", "1"]) == 0
    out = capsys.readouterr().out
    assert "open_set_auroc " in out
    assert "open_set_auroc_confidence " in out
    assert main(["evaluate", str(wide.folder), "--episodes", "4", "--open-set", "9"]) == 1
