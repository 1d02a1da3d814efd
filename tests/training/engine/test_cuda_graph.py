"""Recorded passes, with a recorder that runs the function again where a device would replay its kernels."""

from __future__ import annotations

import pytest
import torch
from support import helpers

from omnishot.experiment.plan import Plan
from omnishot.training.engine.backward import backward
from omnishot.training.engine.cuda_graph import NotRecorded, Recorded, Recording, record_cuda, runner

FACTS = {"facts": helpers.MODALITIES["facts"]}


def again(run):
    run()
    return run


def batch(seed: int, tasks: int = 2):
    return helpers.random_episode(FACTS, tasks=tasks, seed=seed)


def test_a_replay_adds_the_gradient_of_the_batch_given_to_the_same_tensors():
    method = helpers.learner("maml", helpers.network("facts"))
    wanted = helpers.meta_gradient(method, batch(1))
    twice = {n: 2 * g for n, g in helpers.meta_gradient(method, batch(2)).items()}
    losses = backward(method, batch(1))
    method.zero_grad(set_to_none=True)
    recorded = Recorded(method, batch(0), Plan("vmap"), again)
    places = {n: p.grad for n, p in method.named_parameters()}
    assert all((g == 0).all() for g in places.values())  # recording leaves what was there: nothing
    assert torch.allclose(recorded(batch(1)), losses)
    assert helpers.relative_error({n: p.grad for n, p in method.named_parameters()}, wanted) < 1e-12
    method.zero_grad(set_to_none=False)
    recorded(batch(2))
    recorded(batch(2))
    assert all(p.grad is places[n] for n, p in method.named_parameters())
    assert helpers.relative_error(places, twice) < 1e-12


def test_every_shape_is_recorded_once():
    method, count = helpers.learner("protonet", helpers.network("facts")), []
    recording = Recording(method, Plan("vmap"), lambda run: count.append(1) or again(run))
    for tasks in (2, 3, 2, 3):
        method.zero_grad(set_to_none=False)
        assert recording(batch(0, tasks)).shape == (tasks,)
    assert len(count) == 2
    with pytest.raises(ValueError, match="recorded for shape"):
        recording._passes[next(iter(recording._passes))](batch(0, 4))


def test_a_replay_that_does_something_else_is_refused():
    method = helpers.learner("protonet", helpers.network("facts"))
    with pytest.raises(NotRecorded, match="another gradient"):
        Recorded(method, batch(0), Plan("vmap"), lambda run: lambda: None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device that can record")
def test_without_a_device_a_plan_with_a_graph_is_refused_with_the_reason():
    method = helpers.learner("protonet", helpers.network("facts"))
    with pytest.raises(NotRecorded, match="cannot be recorded"):
        runner(method, Plan("vmap", cuda_graph=True))(batch(0), 0.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["maml", "protonet"])
def test_a_cuda_graph_gives_the_gradient_of_the_loop(name):
    method = helpers.learner(name, helpers.network("photo", "facts")).cuda()
    modalities = {n: helpers.MODALITIES[n] for n in ("photo", "facts")}
    first, second = (helpers.random_episode(modalities, seed=s).to("cuda") for s in (0, 1))
    wanted = helpers.meta_gradient(method, second)
    method.zero_grad(set_to_none=True)
    recorded = Recorded(method, first, Plan("vmap"), record_cuda)
    recorded(second)
    assert helpers.relative_error({n: p.grad for n, p in method.named_parameters()}, wanted) < 1e-8
