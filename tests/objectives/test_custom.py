"""Objectives that a user defines: trained, evaluated, adapted, predicted with, saved and loaded."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support import tables
from torch import Tensor

import omnishot as om
from omnishot.episodes.rows import Rows, target_of
from omnishot.errors import UsageError
from omnishot.experiment.options import from_options
from omnishot.metrics.metric import Metric, metric_of
from omnishot.nn.heads import Head, LinearHead
from omnishot.objectives import OBJECTIVES
from omnishot.objectives.base import Objective
from omnishot.objectives.regress import Regress
from omnishot.objectives.targets import TableTarget, TaskTarget, numbers_of


class Huber(Regress):
    """Numbers by Huber's loss, which counts large errors less."""

    name = "huber"

    def __init__(self, mean: Any = 0.0, std: Any = 1.0, *, delta: float = 1.0, **options: Any):
        super().__init__(mean, std, **options)
        self.delta = delta

    def fit_numbers(self, numbers: np.ndarray) -> Huber:
        fitted = super().fit_numbers(numbers)
        fitted.delta = self.delta
        return fitted

    def loss(self, prediction: Tensor, rows: Rows) -> Tensor:
        return F.huber_loss(prediction, target_of(rows), delta=self.delta)

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"delta": self.delta}


class Count(Objective):
    """Counts by Poisson regression: a head of its own, a metric of its own."""

    name = "count"
    gives = "a count"
    target_form = "number"
    metric = "poisson_deviance"
    own_metrics = MappingProxyType({"poisson_deviance": Metric("Poisson deviance", higher_is_better=False)})
    defaults = MappingProxyType({"learner": "maml"})

    def encode_table(self, table: Any) -> TableTarget:
        return TableTarget(numbers_of(table).astype(np.float32))

    def encode_task(self, table: Any) -> TaskTarget:
        return TaskTarget(torch.from_numpy(numbers_of(table).astype(np.float32)))

    def outputs(self, ways: int | None) -> int:
        return 1

    def head(self, network: Any, kind: str, ways: int | None) -> Head:
        return LinearHead(network.out, 1)

    def loss(self, prediction: Tensor, rows: Rows) -> Tensor:
        return F.poisson_nll_loss(prediction.clamp(max=5), target_of(rows))

    def metrics(self, prediction: Tensor, rows: Rows) -> dict[str, float]:
        rate, count = prediction.clamp(max=5).exp().double(), target_of(rows).double()
        deviance = 2 * (torch.xlogy(count, count / rate) - count + rate)
        return {"poisson_deviance": deviance.mean().item(), "loss": self.loss(prediction, rows).item()}

    def decode(self, compact: Tensor, names: Any) -> np.ndarray:
        return compact.clamp(max=5).exp()[:, 0].numpy()


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {cls.name: f"{__name__}:{cls.__name__}" for cls in (Huber, Count)}
    monkeypatch.setattr(OBJECTIVES, "places", {**OBJECTIVES.places, **places})


def rows() -> list[dict]:
    rng = np.random.default_rng(0)
    table = []
    for v in range(12):
        slope = rng.normal()
        for x in rng.normal(size=16):
            table.append({"x": x, "noise": rng.normal(), "y": float(rng.poisson(np.exp(slope * x))), "who": f"v{v}"})
    return table


QUICK = {name: value for name, value in tables.QUICK.items() if name not in ("image", "text")}
QUICK |= {"target": "y", "group": "who", "shots": 6, "queries": 4, "learner": "maml", "inner_steps": 2}


@pytest.mark.parametrize(
    ("objective", "options", "metric"), [("huber", {"delta": 0.5}, "mae"), ("count", {}, "poisson_deviance")]
)
def test_an_objective_of_ones_own_from_the_table_to_a_saved_model(tmp_path, registered, objective, options, metric):
    table = rows()
    run = om.train(table, objective=objective, objective_options=options, out=tmp_path / "run", **QUICK)
    again = om.Run.load(tmp_path / "run")
    assert again.learner.objective.to_json() == run.learner.objective.to_json()
    assert all(getattr(again.learner.objective, name) == value for name, value in options.items())
    evaluation = again.evaluate(table, episodes=4, split="train")
    assert evaluation.figures[0].metric == metric
    assert np.isfinite(evaluation.mean)
    mine = [row for row in table if row["who"] == "v0"]
    model = again.adapt(mine[:6])
    answers = model.predict(mine[6:])
    assert answers.shape == (10,)
    assert np.isfinite(answers).all()
    model.save(tmp_path / "m.omni")
    np.testing.assert_array_equal(om.load(tmp_path / "m.omni").predict(mine[6:]), answers)
    assert list(model.answers(mine[6:])) == ["prediction", "problem"]
    with pytest.raises(UsageError, match="no class probabilities"):
        model.predict_proba(mine[6:])


def test_its_options_are_those_of_its_constructor_and_of_its_base():
    options = {"objective_options.delta": "2", "objective_options.standardise": "task"}
    assert from_options(options, {}, Huber).objective_options == {"delta": 2.0, "standardise": "task"}
    with pytest.raises(UsageError, match="objective 'count' has no option 'delta'"):
        from_options(options, {}, Count)


def test_its_metric_has_a_direction():
    assert not metric_of("poisson_deviance").higher_is_better
    assert not Count().higher_is_better


def test_learners_that_read_other_targets_refuse_it(tmp_path, registered):
    options = {name: value for name, value in QUICK.items() if name != "inner_steps"} | {"learner": "r2d2"}
    with pytest.raises(UsageError, match="learner 'r2d2' serves classify, regress, not count"):
        om.train(rows(), objective="count", out=tmp_path / "run", **options)
