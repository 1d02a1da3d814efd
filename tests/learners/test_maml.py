"""MAML and ANIL: where they start, what their inner loop moves, and that meta-training learns."""

from __future__ import annotations

import pytest
import torch
from support import helpers

from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.network import build_network
from omnishot.objectives import OBJECTIVES

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}


def built(name: str, **options) -> Learner:
    return helpers.learner(name, helpers.network(*INPUTS), **options)


@pytest.mark.parametrize("name", ["maml", "anil"])
def test_a_prototype_head_starts_where_a_prototypical_network_stands(name):
    """Without inner steps the class probabilities are those of a prototypical network."""
    method = built(name, inner_steps=0)
    task = helpers.random_episode(INPUTS, tasks=1).task(0)
    proto = LEARNERS.load("protonet")(method.network, method.objective, scale=method.network.out**-0.5)
    ours = method.answer(method.adapt(task.support), task.query).softmax(-1)
    theirs = proto.answer(proto.adapt(task.support), task.query).softmax(-1)
    assert torch.allclose(ours, theirs, atol=1e-12)


def test_more_inner_steps_fit_the_support_rows_better():
    task = helpers.random_episode(INPUTS, tasks=1, here=1.0).task(0)
    for name in ("maml", "anil"):
        losses = []
        for steps in (0, 1, 3, 10):
            method = built(name, inner_steps=steps, inner_lr=0.1)
            state = method.adapt(task.support)
            losses.append(method.objective.loss(method.answer(state, task.support), task.support).item())
        assert losses == sorted(losses, reverse=True)
        assert losses[-1] < 0.975 * losses[0]


def test_the_inner_loop_of_maml_moves_everything_and_of_anil_the_head():
    task = helpers.random_episode(INPUTS, tasks=1, here=1.0).task(0)
    maml, anil = built("maml"), built("anil")
    body = {n for n in maml.params() if n.startswith("network.")}
    assert maml.adapt(task.support).keys() == body | {"head.weight", "head.bias"}
    assert anil.adapt(task.support).keys() == {"head.weight", "head.bias"}
    moved = maml.adapt(task.support)
    assert all(not torch.equal(moved[n], p) for n, p in maml.params().items())


@pytest.mark.parametrize("name", ["maml", "anil"])
def test_learned_rates_start_at_the_inner_rate_and_count_tensor_by_tensor(name):
    task = helpers.random_episode(INPUTS, tasks=1).task(0)
    plain, learned = built(name), built(name, learned_inner_lr="tensor")
    learned.load_state_dict(plain.state_dict(), strict=False)
    assert learned.step_sizes.values.shape == (len(learned.names),)
    a, b = plain.adapt(task.support), learned.adapt(task.support)
    assert all(torch.allclose(a[n], b[n], rtol=1e-7) for n in a)  # rates are kept as float32 before .double()
    with torch.no_grad():
        learned.step_sizes.values.zero_()
        learned.step_sizes.values[-1] = 0.05  # of the head's bias alone
    still = built(name, inner_steps=0)
    still.load_state_dict(plain.state_dict())
    start, end = still.adapt(task.support), learned.adapt(task.support)
    changed = [n for n in start if not torch.equal(start[n], end[n])]
    assert changed == ["head.bias"]


def test_first_order_differs_from_second_and_predicts_the_same():
    batch = helpers.random_episode(INPUTS)
    first, second = built("maml", second_order=False), built("maml")
    one, two = helpers.meta_gradient(first, batch), helpers.meta_gradient(second, batch)
    assert helpers.relative_error(one, two) > 1e-3
    task = batch.task(0)
    answers = [m.answer(m.adapt(task.support), task.query) for m in (first, second)]
    assert torch.equal(*answers)


# -- it learns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second_order", [True, False])
def test_maml_learns_sinusoids(second_order):
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(1)}, encoder_options={"facts": {"width": 40}})
    options = {"inner_steps": 1, "inner_lr": 0.03, "second_order": second_order}
    method = LEARNERS.load("maml")(net, OBJECTIVES.load("regress")(), **options)
    unseen = helpers.sinusoids(10**6, 100)
    before = helpers.judged(method, unseen)
    helpers.trained(method, lambda step: helpers.sinusoids(step, 25), 300, rate=5e-3)
    after = helpers.judged(method, unseen)
    unadapted = LEARNERS.load("maml")(net, method.objective, inner_steps=0)
    unadapted.load_state_dict(method.state_dict())
    assert after < 0.7 * before
    assert after < 0.75 * helpers.judged(unadapted, unseen)  # it is the inner step that does it


@pytest.mark.parametrize("name", ["maml", "anil", "protonet"])
def test_episodic_learners_learn_features_for_new_classes(name):
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(8)}, encoder_options={"facts": {"width": 32}})
    options = {"inner_steps": 2, "inner_lr": 0.1, "head": "prototype"} if name != "protonet" else {}
    method = LEARNERS.load(name)(net, OBJECTIVES.load("classify")(), **options)
    unseen = helpers.blobs(10**6, 60)
    before = helpers.judged(method, unseen)
    helpers.trained(method, lambda step: helpers.blobs(step, 16), 150)
    after = helpers.judged(method, unseen)
    assert after > before + 0.2
    assert after > 0.7
