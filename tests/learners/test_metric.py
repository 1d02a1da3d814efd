"""What all metric learners owe: gradients that are the slopes of the loss, and that they learn."""

from __future__ import annotations

import pytest
import torch
from support import helpers

from omnishot.learners import LEARNERS
from omnishot.nn.network import build_network
from omnishot.objectives import OBJECTIVES

#: Learner and options.
CLASSIFY = [
    ("protonet", {}),
    ("protonet", {"distance": "cosine"}),
    ("matching", {}),
    ("siamese", {}),
    ("relation", {}),
    ("mahalanobis", {}),
    ("r2d2", {}),
]
REGRESS = [("siamese", {}), ("matching", {}), ("r2d2", {})]
GRID = [(n, o, "classify") for n, o in [*CLASSIFY, ("am3", {}), ("am3", {"distance": "cosine"})]] + [
    (n, o, "regress") for n, o in REGRESS
]
INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "sensor", "facts")}


@pytest.mark.parametrize("shots", [1, 4])
@pytest.mark.parametrize(("name", "options", "objective"), GRID, ids=str)
def test_the_gradient_is_the_slope_of_the_loss(name, options, objective, shots):
    """All parameters at once, cells missing, along random directions."""
    method = helpers.learner(name, helpers.network(*INPUTS), objective, **options)
    ways = 3 if objective == "classify" else None
    batch = helpers.random_episode(INPUTS, ways=ways, shots=shots)
    gradient = helpers.meta_gradient(method, batch, "vmap")
    g = torch.Generator().manual_seed(0)
    for _ in range(3):
        direction = {n: torch.randn(p.shape, generator=g, dtype=p.dtype) for n, p in method.named_parameters()}
        losses = []
        for step in (1e-6, -1e-6):
            moved = {n: p.detach() + step * direction[n] for n, p in method.named_parameters()}
            losses.append(sum(method.loss(moved, batch.task(t)).item() for t in range(2)) / 2)
        slope = sum((gradient[n] * direction[n]).sum() for n in direction).item()
        assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("plan", ["loop", "vmap"])
@pytest.mark.parametrize(("name", "options", "objective"), GRID, ids=str)
def test_half_precision_stays_near(name, options, objective, plan):
    method = helpers.learner(name, helpers.network(*INPUTS), objective, **options).float()
    batch = helpers.random_episode(INPUTS, ways=3 if objective == "classify" else None, dtype=torch.float32)
    whole = helpers.meta_gradient(method, batch, plan)
    with torch.autocast("cpu", torch.bfloat16):
        half = helpers.meta_gradient(method, batch, plan)
    assert all(g.dtype == torch.float32 for g in half.values())
    assert 0 < helpers.relative_error(half, whole) < 0.15


def fresh(name: str, objective: str, columns: int, width: int, options: dict):
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(columns)}, encoder_options={"facts": {"width": width}})
    return LEARNERS.load(name)(net, OBJECTIVES.load(objective)(), **options)


@pytest.mark.parametrize(("name", "options"), CLASSIFY, ids=str)
def test_it_learns_which_numbers_tell_classes_apart(name, options):
    """Guessing is right one time in five, and class means of what is given are little better."""
    method = fresh(name, "classify", 8, 32, options)
    unseen = helpers.blobs(10_000, 40)
    assert helpers.judged(fresh("centroid", "classify", 8, 32, {}), unseen) < 0.4
    helpers.trained(method, lambda step: helpers.blobs(step, 8), 150)
    assert helpers.judged(method, unseen) > 0.75


@pytest.mark.parametrize(("name", "options"), REGRESS, ids=str)
def test_it_learns_sinusoids(name, options):
    """The support rows' mean is what needs no learning."""
    method = fresh(name, "regress", 1, 40, options)
    unseen = helpers.sinusoids(10_000, 40)
    query, mean = unseen.query.target, unseen.support.target.mean(1, keepdim=True)
    plain = (query - mean).abs().mean().item()
    helpers.trained(method, lambda step: helpers.sinusoids(step, 8), 300)
    assert helpers.judged(method, unseen) < 0.6 * plain
