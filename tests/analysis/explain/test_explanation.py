from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support.helpers import learner, mixed, network, random_rows

from omnishot.analysis.explain import explain_task as explaining
from omnishot.analysis.explain.explain import explain as explain_run
from omnishot.analysis.explain.explain_task import explain_task
from omnishot.analysis.explain.explanation import Explanation
from omnishot.analysis.explain.task import Task, TaskRows
from omnishot.errors import DataError
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.heads import linear
from omnishot.objectives.regress import Regress
from omnishot.training.train import train


def random_task(method: Learner, seed: int = 0, here: float = 0.7, classify: bool = True) -> Task:
    """A random task that the learner has learned."""
    ways = 3 if classify else None
    halves = []
    for i, count in enumerate((6, 5)):
        rows = random_rows(method.network.modalities, (count,), ways, seed + i, here)
        halves.append(TaskRows(None, np.arange(count), rows, tuple(range(count))))  # type: ignore[arg-type]
    support, query = halves
    target = method.objective.target_value(query.rows.target)
    names = ("a", "b", "c") if classify else ()
    return Task(method, method.adapt(support.rows), names, query, support, target, "y", "a random task")


def explained(name: str, net: Any = None, seed: int = 0, **options: Any) -> Explanation:
    """A learner explained by a random task."""
    method = learner(name, net or mixed(name), seed=seed, **options)
    return explain_task(random_task(method, seed))


@pytest.mark.parametrize("name", LEARNERS.names())
def test_every_learner_is_explained(name):
    result = explained(name)
    task, rows = result.task, len(result.prediction)
    assert np.abs(result.contributions.sum(1) - (result.values[-1] - result.values[0])).max() < 1e-6
    present = task.query.present
    assert (result.contributions[~present] == 0).all()
    assert (result.contributions[present] != 0).any()
    scores = task.learner.answer(task.state, task.query.rows)
    assert np.allclose(result.probabilities, scores.softmax(-1).numpy())
    some = present.any(1)
    assert np.allclose(result.values[-1, some], result.probabilities.max(-1)[some])
    assert (result.values[0] == 1 / 3).all()
    assert result.neighbours is not None
    assert result.neighbours[0].shape == (rows, 3)
    assert np.isfinite(result.neighbours[1]).all()
    has_weights = task.learner.fuses and task.learner.network.weights(task.query.rows) is not None
    assert (result.fusion_weights is not None) == has_weights
    assert np.isfinite(result.features.after[0]).all()
    assert (result.features.before is None) == (result.change.cka is None)


@pytest.mark.parametrize(
    "name",
    ["maml", "anil", "boil", "metasgd", "mmaml", "reptile", "learned-optimizer", "cavia", "hypernet", "finetune"],
)
def test_the_adapted_parameters_are_those_that_predict(name):
    task = explained(name).task
    params, state = task.learner.params(), task.state
    head = {n: state[f"head.{n}"] if f"head.{n}" in state else state[n] for n in ("weight", "bias")}
    features = task.learner.represent(params, state, task.query.rows)
    assert torch.allclose(linear(head, features), task.learner.answer(state, task.query.rows), atol=1e-12)


@pytest.mark.parametrize("adapt", ["lora", "film", "encoder.sensor", "head,lora", "fusion,lora"])
def test_whatever_part_adapts_the_adapted_parameters_are_those_that_predict(adapt):
    result = explained("maml", mixed("matching"), adapt=adapt)
    params, state = result.task.learner.params(), result.task.state
    head = {n: state[f"head.{n}"] for n in ("weight", "bias")}
    features = result.task.learner.represent(params, state, result.task.query.rows)
    assert torch.allclose(linear(head, features), result.task.learner.answer(state, result.task.query.rows), atol=1e-12)
    moved = {module.partition(":")[0] for module in result.change.parameters}
    if adapt == "encoder.sensor":
        assert moved == {"sensor"}
    assert ("head" in moved) == ("head" in adapt)
    assert not any(module.startswith("lora") for module in result.change.parameters)


def test_maml_moves_its_network_anil_its_head_and_protonet_nothing():
    for name, network_moves, head_moves in (("maml", True, True), ("anil", False, True), ("protonet", False, False)):
        result = explained(name)
        assert ("head" in result.change.parameters) == head_moves
        assert bool(result.change.parameters.keys() - {"head"}) == network_moves
        assert (result.change.cka is not None) == network_moves
        ways = list(result.change.parameters.values())
        assert ways == sorted(ways, reverse=True)
    unchanged = explained("maml", inner_steps=0).change
    assert unchanged.parameters == {}
    assert unchanged.cka is None


def test_the_parameters_show_how_far_maml_moves():
    result = explained("maml")
    params, state = result.task.learner.params(), result.task.state
    name = "network.fusion."
    way = sum((state[n] - p).square().sum() for n, p in params.items() if n.startswith(name))
    was = sum(p.square().sum() for n, p in params.items() if n.startswith(name))
    module = next(m for m in result.change.parameters if m.startswith("fusion"))
    assert result.change.parameters[module] == pytest.approx(float((way / was).sqrt().detach()), rel=1e-9)


def test_more_steps_make_embeddings_less_alike():
    few, many = (explained("maml", inner_steps=steps).change.cka for steps in (1, 8))
    assert few is not None
    assert many is not None
    assert all(0 <= many[name] < few[name] <= 1 + 1e-12 for name in few)


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_weights_are_those_of_the_fusion(fusion):
    result = explained("protonet", network("words", "sensor", "facts", fusion=fusion))
    net, query = result.task.learner.network, result.task.query
    weights = net.fusion.weights(net.embeddings(query.rows), query.rows.present)
    if weights is None:
        assert result.fusion_weights is None
        return
    assert np.array_equal(result.fusion_weights, weights.detach().numpy())
    assert (result.fusion_weights[~query.present] == 0).all()


def test_a_row_alone_has_the_values_of_a_row_in_a_batch_also_where_rows_depend_on_one_another():
    method = learner("protonet", network("photo", "facts", norm="batch"))
    assert method.transductive
    result = explain_task(random_task(method))
    assert (result.contributions[~result.task.query.present] == 0).all()
    assert np.abs(result.contributions.sum(1) - (result.values[-1] - result.values[0])).max() < 1e-12


def test_numbers_are_explained_in_their_own_unit():
    method = learner("maml", network("words", "facts"), "regress")
    method.objective = Regress(100.0, 7.0)
    task = random_task(method, classify=False)
    result = explain_task(task)
    answer = 100 + 7 * method.answer(task.state, task.query.rows)[:, 0].numpy()
    assert np.allclose(result.prediction, answer)
    some = task.query.present.any(1)
    assert np.allclose(result.values[-1, some], answer[some])
    assert (result.values[0] == 100).all()
    assert result.probabilities is None
    assert result.to_json()["rows"][0]["prediction"] == pytest.approx(answer[0])


def test_a_single_input_takes_all_and_without_support_rows_little_is_left_out():
    task = random_task(learner("maml", network("facts")), here=1.0)
    result = explain_task(dataclasses.replace(task, support=None))
    assert np.allclose(result.contributions[:, 0], result.values[1] - result.values[0])
    assert result.neighbours is None
    assert result.fusion_weights is None
    assert result.similarity is None
    assert result.change.parameters
    assert "head" not in result.change.parameters  # where it started depends on the support rows
    assert len(result.features.after) == 1


def test_too_many_inputs_are_refused(monkeypatch):
    monkeypatch.setattr(explaining, "MOST_INPUTS", 2)
    with pytest.raises(DataError, match="3 inputs have 8 subsets"):
        explained("protonet", network("words", "sensor", "facts"))


def test_an_input_of_noise_moves_next_to_nothing_on_mean(tmp_path):
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(24, 4))
    parts = ("train",) * 12 + ("val",) * 6 + ("test",) * 6
    rows = [
        {f"x{i}": v for i, v in enumerate(centres[kind] + 0.3 * rng.normal(size=4))}
        | {"noise": rng.normal(size=(4, 1)), "kind": f"k{kind}", "split": parts[kind]}
        for kind in range(24)
        for _ in range(12)
    ]
    run = train(
        pd.DataFrame(rows), target="kind", out=tmp_path / "run", learner="protonet", steps=60, tasks=4, ways=4, shots=2,
        queries=5, dim=16, lr=1e-2, val_episodes=4, val_every=60, tabular={"width": 16}, series={"width": 4},
    )  # fmt: skip
    mean, importance = [], []
    for seed in range(4):
        result = explain_run(run, pd.DataFrame(rows).query("split == 'test'").drop(columns="split"), seed=seed)
        assert result.inputs == ["tabular", "noise"]
        mean.append(result.mean_contribution)
        importance.append(result.importance)
    (letters, noise), (_, size) = np.mean(mean, 0), np.mean(importance, 0)
    assert letters > 0.4
    assert abs(noise) < 0.1 * letters
    assert size < 0.4 * letters
