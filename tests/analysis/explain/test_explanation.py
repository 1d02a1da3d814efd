from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support.helpers import learner, mixed, network, random_rows

from omnishot.analysis.explain import explanation
from omnishot.analysis.explain.explain import explain as explain_run
from omnishot.analysis.explain.explanation import Explanation, explain
from omnishot.analysis.explain.task import Part, Task, in_own_unit
from omnishot.errors import DataError
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.heads import linear
from omnishot.objectives.regress import Regress
from omnishot.training.train import train


def task_of(method: Learner, seed: int = 0, here: float = 0.7, classify: bool = True) -> Task:
    """A random task that the learner has learned."""
    ways = 3 if classify else None
    halves = []
    for i, count in enumerate((6, 5)):
        rows = random_rows(method.network.modalities, (count,), ways, seed + i, here)
        halves.append(Part(None, np.arange(count), rows, tuple(range(count))))  # type: ignore[arg-type]
    support, query = halves
    truth = in_own_unit(method, query.rows.target)
    names = ("a", "b", "c") if classify else ()
    return Task(method, method.adapt(support.rows), names, query, support, truth, "y", "a random task")


def looked_into(name: str, net: Any = None, seed: int = 0, **options: Any) -> Explanation:
    """A learner explained by a random task."""
    method = learner(name, net or mixed(name), seed=seed, **options)
    return explain(task_of(method, seed))


@pytest.mark.parametrize("name", LEARNERS.names())
def test_every_learner_is_explained(name):
    found = looked_into(name)
    task, rows = found.task, len(found.answer)
    assert np.abs(found.contributions.sum(1) - (found.values[-1] - found.values[0])).max() < 1e-6
    present = task.query.present
    assert (found.contributions[~present] == 0).all()
    assert (found.contributions[present] != 0).any()
    scores = task.learner.answer(task.state, task.query.rows)
    assert np.allclose(found.probabilities, scores.softmax(-1).numpy())
    some = present.any(1)
    assert np.allclose(found.values[-1, some], found.probabilities.max(-1)[some])
    assert (found.values[0] == 1 / 3).all()
    assert found.neighbours is not None
    assert found.neighbours[0].shape == (rows, 3)
    assert np.isfinite(found.neighbours[1]).all()
    assert (found.weights is None) == (not task.learner.fuses or task.learner.network.weights(task.query.rows) is None)
    assert np.isfinite(found.picture.after[0]).all()
    assert (found.picture.before is None) == (found.change.alike is None)


@pytest.mark.parametrize(
    "name",
    ["maml", "anil", "boil", "metasgd", "mmaml", "reptile", "learned-optimizer", "cavia", "hypernet", "finetune"],
)
def test_the_adapted_parameters_are_those_that_predict(name):
    task = looked_into(name).task
    params, state = task.learner.params(), task.state
    head = {n: state[f"head.{n}"] if f"head.{n}" in state else state[n] for n in ("weight", "bias")}
    features = task.learner.represent(params, state, task.query.rows)
    assert torch.allclose(linear(head, features), task.learner.answer(state, task.query.rows), atol=1e-12)


@pytest.mark.parametrize("adapt", ["lora", "film", "encoder.sensor", "head,lora", "fusion,lora"])
def test_whatever_part_adapts_the_adapted_parameters_are_those_that_predict(adapt):
    found = looked_into("maml", mixed("matching"), adapt=adapt)
    params, state = found.task.learner.params(), found.task.state
    head = {n: state[f"head.{n}"] for n in ("weight", "bias")}
    features = found.task.learner.represent(params, state, found.task.query.rows)
    assert torch.allclose(linear(head, features), found.task.learner.answer(state, found.task.query.rows), atol=1e-12)
    moved = {module.partition(":")[0] for module in found.change.moved}
    if adapt == "encoder.sensor":
        assert moved == {"sensor"}
    assert ("head" in moved) == ("head" in adapt)
    assert not any(module.startswith("lora") for module in found.change.moved)


def test_maml_moves_its_network_anil_its_head_and_protonet_nothing():
    for name, network_moves, head_moves in (("maml", True, True), ("anil", False, True), ("protonet", False, False)):
        found = looked_into(name)
        assert ("head" in found.change.moved) == head_moves
        assert bool(found.change.moved.keys() - {"head"}) == network_moves
        assert (found.change.alike is not None) == network_moves
        ways = list(found.change.moved.values())
        assert ways == sorted(ways, reverse=True)
    alike = looked_into("maml", inner_steps=0).change
    assert alike.moved == {}
    assert alike.alike is None


def test_how_far_maml_moves_is_seen_in_its_parameters():
    found = looked_into("maml")
    params, state = found.task.learner.params(), found.task.state
    name = "network.fusion."
    way = sum((state[n] - p).square().sum() for n, p in params.items() if n.startswith(name))
    was = sum(p.square().sum() for n, p in params.items() if n.startswith(name))
    module = next(m for m in found.change.moved if m.startswith("fusion"))
    assert found.change.moved[module] == pytest.approx(float((way / was).sqrt().detach()), rel=1e-9)


def test_more_steps_make_embeddings_less_alike():
    few, many = (looked_into("maml", inner_steps=steps).change.alike for steps in (1, 8))
    assert few is not None
    assert many is not None
    assert all(0 <= many[name] < few[name] <= 1 + 1e-12 for name in few)


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_weights_are_those_of_the_fusion(fusion):
    found = looked_into("protonet", network("words", "sensor", "facts", fusion=fusion))
    net, query = found.task.learner.network, found.task.query
    weights = net.fusion.weights(net.embeddings(query.rows), query.rows.present)
    if weights is None:
        assert found.weights is None
        return
    assert np.array_equal(found.weights, weights.detach().numpy())
    assert (found.weights[~query.present] == 0).all()


def test_a_row_alone_has_the_values_of_a_row_in_a_batch_also_where_rows_depend_on_one_another():
    method = learner("protonet", network("photo", "facts", norm="batch"))
    assert method.transductive
    found = explain(task_of(method))
    assert (found.contributions[~found.task.query.present] == 0).all()
    assert np.abs(found.contributions.sum(1) - (found.values[-1] - found.values[0])).max() < 1e-12


def test_numbers_are_explained_in_their_own_unit():
    method = learner("maml", network("words", "facts"), "regress")
    method.objective = Regress(100.0, 7.0)
    task = task_of(method, classify=False)
    found = explain(task)
    answer = 100 + 7 * method.answer(task.state, task.query.rows)[:, 0].numpy()
    assert np.allclose(found.answer, answer)
    some = task.query.present.any(1)
    assert np.allclose(found.values[-1, some], answer[some])
    assert (found.values[0] == 100).all()
    assert found.probabilities is None
    assert found.to_json()["rows"][0]["answer"] == pytest.approx(answer[0])


def test_a_single_input_takes_all_and_without_support_rows_little_is_left_out():
    task = task_of(learner("maml", network("facts")), here=1.0)
    found = explain(dataclasses.replace(task, support=None))
    assert np.allclose(found.contributions[:, 0], found.values[1] - found.values[0])
    assert found.neighbours is None
    assert found.weights is None
    assert found.similarity is None
    assert found.change.moved
    assert "head" not in found.change.moved  # where it started depends on the support rows
    assert len(found.picture.after) == 1


def test_too_many_inputs_are_refused(monkeypatch):
    monkeypatch.setattr(explanation, "MOST_INPUTS", 2)
    with pytest.raises(DataError, match="3 inputs have 8 subsets"):
        looked_into("protonet", network("words", "sensor", "facts"))


def test_an_input_of_noise_moves_next_to_nothing_on_balance(tmp_path):
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
    balance, importance = [], []
    for seed in range(4):
        found = explain_run(run, pd.DataFrame(rows).query("split == 'test'").drop(columns="split"), seed=seed)
        assert found.inputs == ["tabular", "noise"]
        balance.append(found.balance)
        importance.append(found.importance)
    (told, noise), (_, size) = np.mean(balance, 0), np.mean(importance, 0)
    assert told > 0.4
    assert abs(noise) < 0.1 * told
    assert size < 0.4 * told
