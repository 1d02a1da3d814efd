"""Neural processes: against NumPy, whatever order rows and classes have, their own likelihood, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from support import helpers

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.experiment.plan import Plan
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.network import build_network
from omnishot.objectives import OBJECTIVES
from omnishot.training.engine.backward import backward

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}
FORMS = [(o, a) for o in ("classify", "regress") for a in (False, True)]
#: Classes of support rows, and how many there are; of [0, 0, 2, 2] one has no row.
SUPPORTS = [([0, 0, 0, 1, 2, 2], 3), ([2, 0, 1], 3), (list(range(7)), 7), ([0, 0, 2, 2], 3), ([0, 0], 1)]


def built(objective: str = "classify", **options) -> Learner:
    return helpers.learner("cnp", helpers.network(*INPUTS), objective, **options)


@pytest.mark.parametrize("attentive", [False, True])
@pytest.mark.parametrize(("target", "ways"), SUPPORTS)
def test_neither_the_order_of_rows_nor_the_names_of_classes_matter(target, ways, attentive):
    method, g = built(attentive=attentive), torch.Generator().manual_seed(0)
    rows = helpers.random_rows(INPUTS, (len(target),), ways, 1)
    query = helpers.random_rows(INPUTS, (5,), ways, seed=9)
    support = Rows(rows.inputs, rows.present, torch.tensor(target), None, ways)
    plain = method.answer(method.adapt(support), query)
    renumbered = torch.randperm(ways, generator=g)
    other = Rows(rows.inputs, rows.present, renumbered[support.target], None, ways)
    again = method.answer(method.adapt(other.select(torch.randperm(len(target), generator=g))), query)
    assert torch.allclose(again[:, renumbered], plain, rtol=0, atol=1e-10)


@pytest.mark.parametrize("attentive", [False, True])
def test_the_order_of_rows_with_numbers_does_not_matter(attentive):
    method = built("regress", attentive=attentive)
    task = helpers.random_episode(INPUTS, tasks=1, ways=None).task(0)
    plain = method.answer(method.adapt(task.support), task.query)
    turned = method.answer(method.adapt(task.support.select([5, 3, 1, 0, 2, 4])), task.query)
    assert torch.allclose(turned, plain, rtol=0, atol=1e-10)
    swapped = Rows(task.support.inputs, task.support.present, task.support.target.flip(0))
    assert (method.answer(method.adapt(swapped), task.query) - plain).abs().max() > 1e-3  # which number is whose does


# -- against NumPy -----------------------------------------------------------------------------------------


def lin(p, name, x):
    return p[name + ".weight"] @ x + p.get(name + ".bias", 0)


def mlp(p, name, x, layers=2):
    for i in range(layers - 1):
        x = np.maximum(lin(p, f"{name}.{2 * i}", x), 0)
    return lin(p, f"{name}.{2 * (layers - 1)}", x)


def mean_of(p, asked, features, encoded, heads):
    """The mean of encoded rows: plain without heads, else as the row that asks attends to them."""
    if not heads:
        return sum(encoded) / len(encoded)
    q = lin(p, "attention.q", mlp(p, "attention.place", asked)).reshape(heads, -1)
    keys = [lin(p, "attention.k", mlp(p, "attention.place", f)).reshape(heads, -1) for f in features]
    values = [lin(p, "attention.v", r).reshape(heads, -1) for r in encoded]
    mixed = []
    for h in range(heads):
        weights = np.exp([q[h] @ k[h] / q.shape[1] ** 0.5 for k in keys])
        mixed.append(sum(w * v[h] for w, v in zip(weights / weights.sum(), values, strict=True)))
    return lin(p, "attention.out", np.concatenate(mixed))


def plain(method: Learner, support: Rows, query: Rows, heads: int) -> np.ndarray:
    """Logits `[rows, ways]`, or means and deviations `[rows, 2]`, one row and one class at a time."""
    params = method.params()
    p = {n: v.detach().numpy() for n, v in params.items()}
    features, asked = (method.features(params, rows).detach().numpy() for rows in (support, query))
    target, answers = support.target.numpy(), []
    for f in asked:
        if support.ways is None:
            encoded = [mlp(p, "encoder", np.append(x, y)) for x, y in zip(features, target, strict=True)]
            m, raw = mlp(p, "decoder", np.append(f, mean_of(p, f, features, encoded, heads)))
            answers.append([m, 0.1 + 0.9 * np.log1p(np.exp(raw))])
        else:
            of_class = [features[target == c] for c in range(support.ways)]
            means = [mean_of(p, f, x, [mlp(p, "encoder", one) for one in x], heads) for x in of_class]
            overall = sum(means) / len(means)
            answers.append([mlp(p, "decoder", np.concatenate([f, m, overall])).item() for m in means])
    return np.array(answers)


@pytest.mark.parametrize(("objective", "attentive"), FORMS)
def test_it_equals_a_plain_computation(objective, attentive):
    method = built(objective, attentive=attentive, layers=2, heads=2, width=6)
    ways = 3 if objective == "classify" else None
    task = helpers.random_episode(INPUTS, tasks=1, ways=ways).task(0)
    expected = plain(method, task.support, task.query, 2 if attentive else 0)
    got = method.answer(method.adapt(task.support), task.query).numpy()
    loss = method.loss(method.params(), task).item()
    if objective == "classify":
        assert np.allclose(got, expected, rtol=0, atol=1e-8)
    else:  # the mean is the prediction, the likelihood the loss
        mean, deviation = np.split(expected, 2, 1)
        assert np.allclose(got, mean, rtol=0, atol=1e-8)
        assert loss == pytest.approx(-norm.logpdf(task.query.target.numpy(), mean, deviation).mean(), rel=1e-10)


@pytest.mark.parametrize("attentive", [False, True])
def test_a_class_without_rows_has_no_part_in_the_others(attentive):
    """The overall mean is of classes that have rows: one more class that has none changes no logit."""
    method = built(attentive=attentive)
    rows, query = helpers.random_rows(INPUTS, (4,), 2, 1), helpers.random_rows(INPUTS, (5,), 2, seed=9)
    two = method.answer(method.adapt(rows), query)
    three = method.answer(method.adapt(Rows(rows.inputs, rows.present, rows.target, None, 3)), query)
    assert three.isfinite().all()
    assert torch.allclose(three[:, :2], two, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("objective", "attentive"), FORMS)
def test_gradient_equals_finite_differences(objective, attentive):
    inputs = {"facts": helpers.tabular(2)}
    torch.manual_seed(0)
    net = build_network(inputs, encoder_options={"facts": {"width": 8}})
    method = helpers.learner("cnp", net, objective, seed=1, attentive=attentive, layers=2, heads=2, width=8)
    with torch.no_grad():
        for p in method.parameters():
            p.mul_(3)  # else hardly a hidden unit tells rows apart
    batch = helpers.random_episode(inputs, ways=3 if objective == "classify" else None, here=1.0)
    assert helpers.slope_error(method, batch) < 1e-7
    if objective == "regress":
        with pytest.raises(UsageError, match="plan split does not fit the learner 'cnp'"):
            backward(method, batch, Plan("split"))


# -- it learns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attentive", [False, True])
def test_it_learns_sinusoids(attentive):
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(1)}, encoder_options={"facts": {"width": 40}})
    method = LEARNERS.load("cnp")(net, OBJECTIVES.load("regress")(), attentive=attentive, width=64)
    unseen = helpers.sinusoids(10**6, 50)
    before = helpers.judged(method, unseen)
    helpers.trained(method, lambda step: helpers.sinusoids(step, 16), 300, rate=3e-3)
    assert helpers.judged(method, unseen) < 0.85 * before  # a third to a half of it takes 1,000 steps


def test_it_learns_features_for_new_classes_of_any_number():
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(8)}, encoder_options={"facts": {"width": 32}})
    method = LEARNERS.load("cnp")(net, OBJECTIVES.load("classify")())
    unseen, wider = helpers.blobs(10**6, 40), helpers.blobs(10**6, 40, ways=8, shots=3)
    before, wide_before = helpers.judged(method, unseen), helpers.judged(method, wider)
    helpers.trained(method, lambda step: helpers.blobs(step, 16), 150)
    assert helpers.judged(method, unseen) > max(0.7, before + 0.2)
    assert helpers.judged(method, wider) > max(0.7, wide_before + 0.2)


def test_what_a_neural_process_cannot_be_is_refused():
    with pytest.raises(UsageError, match="0 layers of width 128: use 1 or more of both"):
        built(layers=0)
    with pytest.raises(UsageError, match="width of 30 among 4 heads: use a multiple of 4"):
        built(width=30, attentive=True)
    built(width=30)
