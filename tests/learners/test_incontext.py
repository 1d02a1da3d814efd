"""The transformer that reads the support set: against NumPy, whatever order rows and classes have, and it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import helpers

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.network import build_network
from omnishot.objectives import OBJECTIVES

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}
#: Classes of support rows, and how many there are; of [0, 0, 2, 2] one has no row.
SUPPORTS = [([0, 0, 0, 1, 2, 2], 3), ([2, 0, 1], 3), (list(range(7)), 7), ([0, 0, 2, 2], 3), ([0, 0], 1)]


def built(objective: str = "classify", **options) -> Learner:
    return helpers.learner("incontext", helpers.network(*INPUTS), objective, **options)


def support_of(target: list[int], ways: int) -> Rows:
    rows = helpers.random_rows(INPUTS, (len(target),), ways, 1)
    return Rows(rows.inputs, rows.present, torch.tensor(target), rows.label, ways)


def test_it_starts_as_a_prototypical_network():
    net, objective = helpers.network(*INPUTS).double(), OBJECTIVES.load("classify")()
    ours, theirs = (LEARNERS.load(n)(net, objective).double() for n in ("incontext", "protonet"))
    task = helpers.random_episode(INPUTS, tasks=1).task(0)
    answers = [m.answer(m.adapt(task.support), task.query) for m in (ours, theirs)]
    assert torch.allclose(*answers, rtol=1e-12)


@pytest.mark.parametrize(("target", "ways"), SUPPORTS)
def test_neither_the_order_of_rows_nor_the_names_of_classes_matter(target, ways):
    method, support = built(), support_of(target, ways)
    query = helpers.random_rows(INPUTS, (5,), ways, seed=9)
    plain = method.answer(method.adapt(support), query)
    g = torch.Generator().manual_seed(0)
    renumbered = torch.randperm(ways, generator=g)
    other = Rows(support.inputs, support.present, renumbered[support.target], None, ways)
    again = method.answer(method.adapt(other.select(torch.randperm(len(target), generator=g))), query)
    assert torch.allclose(again[:, renumbered], plain, rtol=0, atol=1e-10)


def test_the_order_of_rows_with_numbers_does_not_matter():
    method, task = built("regress"), helpers.random_episode(INPUTS, tasks=1, ways=None).task(0)
    plain = method.answer(method.adapt(task.support), task.query)
    turned = method.answer(method.adapt(task.support.select([5, 3, 1, 0, 2, 4])), task.query)
    assert torch.allclose(turned, plain, rtol=0, atol=1e-10)
    swapped = Rows(task.support.inputs, task.support.present, task.support.target.flip(0))
    assert (method.answer(method.adapt(swapped), task.query) - plain).abs().max() > 1e-3  # which number is whose does


# -- against NumPy -----------------------------------------------------------------------------------------


def norm(p, name, x):
    z = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return z * p[name + ".scale"] + p[name + ".shift"]


def lin(p, name, x):
    return x @ p[name + ".weight"].T + p[name + ".bias"]


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def read(p, x, support, same, layers, heads):
    """Rows `x` that read `support`'s tokens of every layer (their own, if None), and the tokens that they leave."""
    left = []
    for i in range(layers):
        b = f"blocks.{i}."
        left.append(x)
        seen = norm(p, b + "norm1", x if support is None else support[i])
        k, v = np.split(lin(p, b + "kv", seen), 2, -1)
        q = lin(p, b + "q", norm(p, b + "norm1", x))
        width = x.shape[1] // heads
        mixed = np.zeros_like(x)
        for row in range(len(x)):
            for h in range(heads):
                part = slice(h * width, (h + 1) * width)
                scores = [q[row, part] @ other / math.sqrt(width) for other in k[:, part]]
                if same is not None:
                    scores = [
                        s + p["same"][i, h] * (same[row] == theirs) for s, theirs in zip(scores, same, strict=True)
                    ]
                weights = np.exp(scores) / np.exp(scores).sum()
                mixed[row, part] = sum(w * value for w, value in zip(weights, v[:, part], strict=True))
        x = x + lin(p, b + "out", mixed)
        x = x + lin(p, b + "mlp.2", gelu(lin(p, b + "mlp.0", norm(p, b + "norm2", x))))
    return lin(p, "out", norm(p, "norm", x)), left


@pytest.mark.parametrize("objective", ["classify", "regress"])
def test_it_equals_a_plain_computation(objective):
    method = built(objective, layers=2, heads=2, width=6)
    ways = 3 if objective == "classify" else None
    task = helpers.random_episode(INPUTS, tasks=1, ways=ways).task(0)
    params = method.params()
    p = {n.removeprefix("reader."): v.detach().numpy() for n, v in params.items() if n.startswith("reader.")}
    features, asked = (method.features(params, rows).detach().numpy() for rows in (task.support, task.query))
    target = task.support.target.numpy()
    tokens, label = lin(p, "token", features), target
    if objective == "regress":
        tokens, label = tokens + lin(p, "number", target), None
    added, left = read(p, tokens, None, label, 2, 2)
    expected, _ = read(p, lin(p, "token", asked), left, None, 2, 2)
    if objective == "classify":
        z, scale = asked + expected, np.exp(params["log_scale"].item())
        means = [(features + added)[target == c].mean(0) for c in range(3)]
        expected = np.stack([-scale * ((z - m) ** 2).sum(-1) for m in means], -1)
    got = method.answer(method.adapt(task.support), task.query).numpy()
    assert np.allclose(got, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("objective", ["classify", "regress"])
def test_gradient_equals_finite_differences(objective):
    inputs = {"facts": helpers.tabular(2)}
    torch.manual_seed(0)
    net = build_network(inputs, encoder_options={"facts": {"width": 4}})
    method = helpers.learner("incontext", net, objective, layers=2, heads=2, width=4)
    batch = helpers.random_episode(inputs, ways=3 if objective == "classify" else None, here=1.0)
    assert helpers.slope_error(method, batch) < 1e-7


# -- it learns ---------------------------------------------------------------------------------------------

SMALL = {"layers": 2, "width": 32}


def test_it_learns_sinusoids_and_to_read_more_rows_than_it_was_trained_with():
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(1)}, encoder_options={"facts": {"width": 40}})
    method = LEARNERS.load("incontext")(net, OBJECTIVES.load("regress")(), **SMALL)
    before = helpers.judged(method, helpers.sinusoids(10**6, 50))
    helpers.trained(method, lambda step: helpers.sinusoids(step, 16), 250)
    after = helpers.judged(method, helpers.sinusoids(10**6, 50))
    assert after < 0.6 * before
    assert helpers.judged(method, helpers.sinusoids(10**6, 50, shots=20)) < after


def test_it_learns_features_for_new_classes_of_any_number():
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(8)}, encoder_options={"facts": {"width": 32}})
    method = LEARNERS.load("incontext")(net, OBJECTIVES.load("classify")(), **SMALL)
    unseen, wider = helpers.blobs(10**6, 40), helpers.blobs(10**6, 40, ways=8, shots=3)
    before, wide_before = helpers.judged(method, unseen), helpers.judged(method, wider)
    helpers.trained(method, lambda step: helpers.blobs(step, 16), 150)
    assert helpers.judged(method, unseen) > max(0.7, before + 0.2)
    assert helpers.judged(method, wider) > max(0.7, wide_before + 0.2)


def test_what_a_transformer_cannot_be_is_refused():
    with pytest.raises(UsageError, match="width of 30 among 4 heads: use a multiple of 4"):
        built(width=30)
    with pytest.raises(UsageError, match="attention with 0 heads: use 1 or more"):
        built(heads=0)
    with pytest.raises(UsageError, match="transformer of 0 layers: use 1 or more"):
        built(layers=0)
