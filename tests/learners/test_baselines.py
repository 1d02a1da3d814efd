"""The baselines against scikit-learn and torch's own optimiser."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from support import helpers
from torch import Tensor

from omnishot.episodes.rows import Rows, concatenate
from omnishot.learners.inner.descent import adam, descend, gradient

INPUTS = {n: helpers.MODALITIES[n] for n in ("photo", "facts")}


def task(ways: int, each: int = 4, seed: int = 0) -> tuple[Rows, Rows]:
    return tuple(helpers.random_rows(INPUTS, (ways * each,), ways, seed + i, here=0.8) for i in range(2))


@pytest.mark.parametrize("ways", [2, 3, 6])
def test_logreg_equals_scikit_learn(ways):
    method = helpers.learner("logreg", helpers.network(*INPUTS), strength=2.0)
    support, query = task(ways)
    x, asked = (method.network.raw(rows).numpy() for rows in (support, query))
    expected = LogisticRegression(C=2.0, max_iter=1000).fit(x, support.target.numpy())
    probabilities = method.answer(method.adapt(support), query).softmax(-1)
    assert np.allclose(probabilities, expected.predict_proba(asked), atol=1e-10)
    assert np.array_equal(probabilities.argmax(-1), expected.predict(asked))


@pytest.mark.parametrize(("seen", "ways"), [([0, 2], 3), ([1, 2, 4], 5), ([1], 3)])
def test_logreg_never_predicts_a_class_without_rows(seen, ways):
    method = helpers.learner("logreg", helpers.network(*INPUTS))
    support, query = task(len(seen))
    support = Rows(support.inputs, support.present, torch.tensor(seen)[support.target], None, ways)
    probabilities = method.answer(method.adapt(support), query).softmax(-1)
    unseen = [k for k in range(ways) if k not in seen]
    assert (probabilities[:, unseen] == 0).all()
    if len(seen) > 1:
        x, asked = (method.network.raw(rows).numpy() for rows in (support, query))
        expected = LogisticRegression(C=10.0, max_iter=1000).fit(x, support.target.numpy())
        assert np.allclose(probabilities[:, seen], expected.predict_proba(asked), atol=1e-10)


@pytest.mark.parametrize("ways", [2, 5])
@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")
def test_centroid_equals_scikit_learn(ways):
    method = helpers.learner("centroid", helpers.network(*INPUTS))
    support, query = task(ways)
    x, asked = (method.network.raw(rows).numpy() for rows in (support, query))
    expected = NearestCentroid().fit(x, support.target.numpy())
    answer = method.answer(method.adapt(support), query)
    assert np.array_equal(answer.argmax(-1), expected.predict(asked))
    distances = ((asked[:, None] - expected.centroids_[None]) ** 2).sum(-1)
    assert np.allclose(-answer, distances)


# -- descent -----------------------------------------------------------------------------------------------


def bowl(p: dict[str, Tensor]) -> Tensor:
    """A loss with gradients of very different sizes, so that every part of Adam's formula matters."""
    return (p["a"] - 1).square().sum() + 1e-7 * (p["b"] * p["a"][:2]).sin().sum() + 0 * p["still"].sum()


def start() -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(0)
    sizes = {"a": 4, "b": 2, "still": 3}
    return {n: torch.randn(k, generator=g, dtype=torch.float64) for n, k in sizes.items()}


@pytest.mark.parametrize("steps", [0, 1, 2, 20])
def test_adam_equals_torch(steps):
    ours = adam(bowl, start(), steps, 0.05)
    theirs = {n: p.requires_grad_() for n, p in start().items()}
    optimiser = torch.optim.Adam(theirs.values(), lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        bowl(theirs).backward()
        optimiser.step()
    assert all(torch.allclose(ours[n], theirs[n], rtol=1e-12, atol=1e-14) for n in ours)
    assert not any(p.requires_grad for p in ours.values())


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_descent_equals_torch(steps):
    rate = {"a": 0.1, "b": 100.0, "still": 1.0}
    ours = descend(bowl, start(), [rate] * steps, second_order=False)[-1]
    theirs = {n: p.requires_grad_() for n, p in start().items()}
    optimiser = torch.optim.SGD([{"params": [p], "lr": rate[n]} for n, p in theirs.items()])
    for _ in range(steps):
        optimiser.zero_grad()
        bowl(theirs).backward()
        optimiser.step()
    assert all(torch.allclose(ours[n], theirs[n], rtol=1e-12) for n in ours)


def test_gradient_does_not_run_back_through_where_it_starts():
    """`at` may be computed from a parameter that the loss reads too, as a prototype head is."""
    p = torch.tensor(3.0, requires_grad=True)
    at = {"w": p * p, "p": p}
    for differentiable in (True, False):
        got = gradient(lambda q: q["w"] * q["p"], at, differentiable)
        assert got["w"].item() == 3.0
        assert got["p"].item() == 9.0
        assert got["w"].requires_grad == differentiable
    assert gradient(lambda q: q["w"], {"w": p, "unused": p}, True)["unused"].item() == 0.0


# -- scratch and fine-tuning -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scratch", "finetune"])
def test_fitting_is_adam_on_the_support_rows_from_a_prototype_head(name):
    method = helpers.learner(name, helpers.network(*INPUTS), fit_steps=4, fit_lr=0.01)
    support, query = task(3)
    net = method.network
    with torch.no_grad():
        features = net(support)
        means = torch.stack([features[support.target == k].mean(0) for k in range(3)])
    s = net.out**-0.5
    weight, bias = (2 * s * means).requires_grad_(), (-s * means.square().sum(1)).requires_grad_()
    answer = method.answer(method.adapt(support), query)
    with torch.no_grad():
        before = net(query) @ weight.T + bias
    optimiser = torch.optim.Adam([*net.parameters(), weight, bias], lr=0.01)
    for _ in range(4):
        optimiser.zero_grad()
        F.cross_entropy(net(support) @ weight.T + bias, support.target).backward()
        optimiser.step()
    assert torch.allclose(answer, net(query) @ weight.T + bias, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(answer, before)


def test_joint_training_predicts_each_row_among_all_training_classes():
    method = helpers.learner("finetune", helpers.network(*INPUTS))
    batch = helpers.random_episode(INPUTS, tasks=2)
    losses = []
    for t in range(2):
        both = concatenate(batch.task(t).support, batch.task(t).query)
        logits = method.network(both) @ method.joint.weight.T + method.joint.bias
        assert logits.shape[1] == helpers.LABELS
        losses.append(F.cross_entropy(logits, both.label))
    expected = torch.autograd.grad(torch.stack(losses).mean(), list(method.parameters()))
    got = helpers.meta_gradient(method, batch)
    assert helpers.relative_error(got, dict(zip(method.params(), expected, strict=True))) < 1e-12


def test_scratch_learns_nothing_across_tasks():
    assert not any(helpers.learner(n, helpers.network(*INPUTS)).meta_trained for n in ("scratch", "centroid", "logreg"))
    assert helpers.learner("finetune", helpers.network(*INPUTS)).meta_trained
