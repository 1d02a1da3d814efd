"""The hypernetwork starts as a prototypical network, has a right gradient, and writes models that predict."""

from __future__ import annotations

import pytest
import torch
from support import helpers
from torch import nn

from omnishot.learners import LEARNERS
from omnishot.nn.network import build_network
from omnishot.objectives import OBJECTIVES

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}


def fresh(objective: str = "classify", numbers: int = 8, width: int = 32):
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(numbers)}, encoder_options={"facts": {"width": width}})
    return LEARNERS.load("hypernet")(net, OBJECTIVES.load(objective)())


def test_it_starts_where_a_prototypical_network_stands():
    method = LEARNERS.load("hypernet")(helpers.network(*INPUTS), OBJECTIVES.load("classify")()).double()
    proto = LEARNERS.load("protonet")(method.network, method.objective).double()
    task = helpers.random_episode(INPUTS, tasks=1).task(0)
    ours, theirs = (m.answer(m.adapt(task.support), task.query).softmax(-1) for m in (method, proto))
    assert torch.allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("objective", ["classify", "regress"])
def test_the_order_of_support_rows_does_not_matter(objective):
    method = helpers.learner("hypernet", helpers.network(*INPUTS), objective)
    task = helpers.random_episode(INPUTS, tasks=1, ways=3 if objective == "classify" else None).task(0)
    one, other = (method.adapt(s) for s in (task.support, task.support.select([3, 5, 0, 1, 4, 2])))
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[n], other[n], atol=1e-12) for n in one)


def test_a_class_more_leaves_the_others_their_weights_but_for_the_task_vector():
    """One generator writes every class: with the same task vector, the same class mean gives the same weights."""
    method = helpers.learner("hypernet", helpers.network(*INPUTS))
    support = helpers.random_rows(INPUTS, (4,), 2, here=1.0)
    twice = support.map(lambda t: torch.cat([t, t]))
    twice.target[4:] += 2  # the same rows again as two further classes: the set's mean stays
    one, two = method.adapt(support), method.adapt(type(twice)(**{**vars(twice), "ways": 4}))
    assert two["head.weight"].shape[0] == 4
    assert torch.allclose(two["head.weight"], one["head.weight"].repeat(2, 1), atol=1e-12)


@pytest.mark.parametrize("objective", ["classify", "regress"])
def test_the_model_written_is_the_network_with_other_scales_and_shifts_and_a_linear_head(objective):
    """What stands in the state is loaded into a plain network and layer, which predict the same."""
    method = helpers.learner("hypernet", helpers.network(*INPUTS), objective)
    task = helpers.random_episode(INPUTS, tasks=1, ways=3 if objective == "classify" else None).task(0)
    state = method.adapt(task.support)
    answer = method.answer(state, task.query)
    before = method.network.state_dict()
    changed = {n.removeprefix("network."): v for n, v in state.items() if n.startswith("network.")}
    assert changed
    assert all(not torch.equal(before[n], v) for n, v in changed.items())
    method.network.load_state_dict(before | changed)
    head = nn.Linear(method.network.out, answer.shape[-1]).double()
    head.load_state_dict({n: state[f"head.{n}"] for n in ("weight", "bias")})
    assert torch.allclose(head(method.network(task.query)), answer, atol=1e-10)


@pytest.mark.parametrize("objective", ["classify", "regress"])
def test_gradient_equals_finite_differences(objective):
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(2)}, encoder_options={"facts": {"width": 6}})
    method = helpers.learner("hypernet", net, objective, task_dim=2, hidden=3)
    ways = 2 if objective == "classify" else None
    batch = helpers.random_episode(net.modalities, ways=ways, here=1.0, seed=4)
    assert helpers.slope_error(method, batch) < 1e-7


def test_it_learns_sinusoids_and_it_is_the_written_model_that_does_it():
    method = fresh("regress", numbers=1, width=40)
    unseen = helpers.sinusoids(10**6, 100)
    before = helpers.judged(method, unseen)
    helpers.trained(method, lambda step: helpers.sinusoids(step, 25), 300, rate=5e-3)
    assert helpers.judged(method, unseen) < 0.5 * before
    without = [unseen.task(t) for t in range(20)]
    errors = []
    for task, stranger in zip(without, without[1:] + without[:1], strict=True):
        answer = method.answer(method.adapt(stranger.support), task.query)
        errors.append(method.objective.metrics(answer, task.query)["mae"])
    assert sum(errors) / len(errors) > 2 * helpers.judged(method, unseen)  # another task's model does not serve


def test_it_learns_features_for_new_classes():
    method = fresh()
    unseen = helpers.blobs(10**6, 60)
    before = helpers.judged(method, unseen)
    helpers.trained(method, lambda step: helpers.blobs(step, 16), 60)
    assert helpers.judged(method, unseen) > max(0.7, before + 0.2)
