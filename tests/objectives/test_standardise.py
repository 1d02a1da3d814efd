"""Numbers standardised by the support rows of each task, whatever the learner."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from support import helpers, tables

import omnishot as om
from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.experiment.plan import Plan
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.learners.rehearsal import Rehearsal
from omnishot.objectives.regress import Regress
from omnishot.training.engine.backward import backward

INPUTS = ("words", "sensor", "facts")
MODALITIES = {name: helpers.MODALITIES[name] for name in INPUTS}
REGRESS = [n for n in LEARNERS.names() if "regress" in LEARNERS.load(n).serves]
OLD_ROWS = [n for n in REGRESS if issubclass(LEARNERS.load(n), Rehearsal)]
#: Those whose answers are weighted means of the support rows' targets, whatever these are measured with.
WEIGHING = ("siamese", "matching", "probe")
every_learner = pytest.mark.parametrize("name", [n for n in REGRESS if n not in OLD_ROWS])


def by_task(name: str, **options) -> Learner:
    method = helpers.learner(name, helpers.network(*INPUTS), "regress", **options)
    method.objective = Regress(3.0, 2.0, standardise="task")
    return method


def moved(rows: Rows, by: float, times: float = 1.0) -> Rows:
    assert rows.target is not None
    return dataclasses.replace(rows, target=rows.target * times + by)


def rows_of(target: torch.Tensor) -> Rows:
    return Rows({}, torch.ones(*target.shape[:-1], 1, dtype=torch.bool), target)


def test_the_measure_is_that_of_the_support_rows_with_one_of_the_training_rows_spread():
    target = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    measure = Regress([0.0] * 3, [1.0] * 3, standardise="task").fit_scaler(rows_of(target))
    for t, numbers in enumerate(target.numpy()):
        squares = [sum((x - column.mean()) ** 2 for x in column) for column in numbers.T]
        np.testing.assert_allclose(measure["centre"][t, 0], numbers.mean(0), rtol=1e-12)
        np.testing.assert_allclose(measure["spread"][t, 0], np.sqrt((np.array(squares) + 1) / 6), rtol=1e-12)
    alone = Regress(0.0, 1.0, standardise="task").fit_scaler(rows_of(torch.tensor([[4.0]])))
    assert (alone["centre"].item(), alone["spread"].item()) == (4.0, 1.0)
    assert Regress().fit_scaler(rows_of(target)) == {}


@every_learner
def test_a_task_of_numbers_so_much_greater_is_answered_with_numbers_so_much_greater(name):
    method, task = by_task(name), helpers.random_episode(MODALITIES, tasks=1, ways=None).task(0)
    before = method.answer(method.adapt(task.support), task.query)
    after = method.answer(method.adapt(moved(task.support, 7.0)), task.query)
    assert torch.allclose(after, before + 7.0, atol=1e-9)
    method.objective = Regress(3.0, 2.0)
    plain = method.answer(method.adapt(task.support), task.query)
    assert torch.allclose(plain, before, atol=1e-4) == (name in WEIGHING)


@every_learner
def test_what_is_learned_across_tasks_does_not_depend_on_how_large_their_numbers_are(name):
    batch = helpers.random_episode(MODALITIES, tasks=2, ways=None)
    gradients = []
    for by in (0.0, 7.0):
        method = by_task(name)
        losses = backward(method, Episode(moved(batch.support, by), moved(batch.query, by)))
        gradients.append([losses, *(p.grad for p in method.parameters() if p.grad is not None)])
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("plan", ["split", "vmap"])
def test_every_plan_gives_the_same_gradient(plan):
    batch = helpers.random_episode(MODALITIES, tasks=3, ways=None)
    results = []
    for way in ("loop", plan):
        method = by_task("maml")
        backward(method, batch, Plan.parse(way))
        results.append({n: p.grad for n, p in method.named_parameters() if p.grad is not None})
    for name, gradient in results[0].items():
        assert torch.allclose(gradient, results[1][name], rtol=1e-10, atol=1e-12), name


def test_the_loss_of_training_is_in_the_tasks_measure():
    method, batch = by_task("maml"), helpers.random_episode(MODALITIES, tasks=2, ways=None)
    losses = backward(method, batch)
    for t, loss in enumerate(losses):
        task = batch.task(t)
        spread = method.objective.fit_scaler(task.support)["spread"]
        error = (method.answer(method.adapt(task.support), task.query) - task.query.target) / spread
        assert loss.item() == pytest.approx(error.square().mean().item(), rel=1e-9)


@pytest.mark.parametrize("name", OLD_ROWS)
def test_a_learner_of_old_rows_refuses(name):
    options = {"labels": helpers.LABELS}
    with pytest.raises(UsageError, match="the old rows that this learner rehearses"):
        LEARNERS.load(name)(helpers.network(*INPUTS), Regress(standardise="task"), **options)


def numbers(vehicles: int = 6, rows: int = 14) -> list[dict]:
    """Tasks of one law, each in a unit of its own."""
    rng = np.random.default_rng(0)
    results = []
    for v in range(vehicles):
        scale, shift = 10.0 ** rng.uniform(-1, 2), rng.normal() * 100
        for x in rng.normal(size=rows):
            results.append({"x": x, "noise": rng.normal(), "y": scale * x + shift, "who": f"v{v}"})
    return results


def test_a_run_keeps_it_and_a_model_answers_in_the_targets_own_unit(tmp_path):
    quick = {name: value for name, value in tables.QUICK.items() if name not in ("image", "text")}
    quick |= {"learner": "maml", "shots": 6, "queries": 4, "inner_steps": 2}
    rows = numbers()
    quick |= {"objective_options": {"standardise": "task"}}
    run = om.train(rows, target="y", group="who", out=tmp_path / "run", **quick)
    again = om.Run.load(tmp_path / "run")
    assert again.learner.objective.standardise == "task"
    mine = [row | {"y": row["y"] + 5000} for row in rows if row["who"] == "v0"]
    model = again.adapt(mine[:6])
    results = model.predict(mine[6:])
    assert (np.abs(results - 5000) < 1000).all()
    model.save(tmp_path / "m.omni")
    np.testing.assert_array_equal(om.load(tmp_path / "m.omni").predict(mine[6:]), results)
    other = run.adapt([row | {"y": row["y"] - 5000} for row in mine[:6]]).predict(mine[6:])
    np.testing.assert_allclose(other, results - 5000, atol=1e-2)
    assert np.isfinite(run.evaluate(rows, episodes=4, split="train").metrics["mae"])


BY_TASK = {"objective_options": {"standardise": "task"}}


def test_it_is_refused_for_classes_and_for_what_it_is_not(tmp_path):
    with pytest.raises(UsageError, match="objective 'classify' has no option 'standardise'"):
        om.train(tables.birds(tmp_path), target="species", out=tmp_path / "r", **tables.QUICK, **BY_TASK)
    with pytest.raises(UsageError, match="standardise"):
        om.train(numbers(), target="y", group="who", objective_options={"standardise": "tsk"}, out=tmp_path / "r")
