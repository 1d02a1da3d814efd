"""Auxiliary objectives: their formulas, what they may read, what they add to the meta-gradient."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from support import helpers
from torch import Tensor

from omnishot.episodes.rows import Episode
from omnishot.errors import UsageError
from omnishot.nn.auxiliary import AUXILIARIES
from omnishot.nn.auxiliary.base import Auxiliaries, EncodedBatch, encode_batch
from omnishot.nn.network import Network

TASKS, ROWS, INPUTS, DIM = 2, 5, 3, 4
INPUT_NAMES = ("words", "sensor", "facts")


def network(**options: str) -> Network:
    return helpers.network(*INPUT_NAMES, fusion="attention", **({"imputation": "impute"} | options)).double()


def some(seed: int = 0, ways: int = 2) -> EncodedBatch:
    g = torch.Generator().manual_seed(seed)
    present = torch.rand(TASKS, ROWS, INPUTS, generator=g) < 0.7
    present[:, 0] = False
    x = torch.randn(TASKS, ROWS, INPUTS, DIM, generator=g, dtype=torch.float64) * present[..., None]
    target = torch.arange(ROWS).remainder(ways).expand(TASKS, ROWS)
    return EncodedBatch(x, present, x, present, target[:, :, None] == target[:, None])


def made(name: str, net: Network) -> torch.nn.Module:
    return AUXILIARIES.load(name)(net).double()


EVERY = [name for name in AUXILIARIES.names() if name != "balance"]  # which has a test of its own


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / a.norm() / b.norm())


def test_infonce_equals_its_formula():
    net, views = network(), some()
    term = made("infonce", net)
    got = term(net, views)
    for t in range(TASKS):
        directions = []
        for i in range(INPUTS):
            for j in range(INPUTS):
                if i == j:
                    continue
                losses = []
                for a in range(ROWS):
                    others = [b for b in range(ROWS) if views.present[t, b, j]]
                    right = [b for b in others if views.same[t, a, b]]
                    if not views.present[t, a, i] or not right:
                        continue
                    x, y = views.embeddings[t, :, i], views.embeddings[t, :, j]
                    scores = {b: 10 * cosine(x[a], y[b]) for b in others}
                    total = math.log(sum(map(math.exp, scores.values())))
                    losses.append(-sum(scores[b] - total for b in right) / len(right))
                directions.append(sum(losses) / max(1, len(losses)))
        assert got[t].item() == pytest.approx(sum(directions) / len(directions), rel=1e-6)


def test_sigmoid_equals_its_formula():
    net, views = network(), some()
    term = made("sigmoid", net)
    with torch.no_grad():
        term.bias.fill_(-1.5)
    got = term(net, views)
    for t in range(TASKS):
        directions = []
        for i in range(INPUTS):
            for j in range(INPUTS):
                if i == j:
                    continue
                losses: dict[bool, list[float]] = {True: [], False: []}
                for a in range(ROWS):
                    for b in range(ROWS):
                        if views.present[t, a, i] and views.present[t, b, j]:
                            score = 10 * cosine(views.embeddings[t, a, i], views.embeddings[t, b, j]) - 1.5
                            same = bool(views.same[t, a, b])
                            losses[same].append(math.log1p(math.exp(-score if same else score)))
                directions.append(sum(sum(each) / max(1, len(each)) / 2 for each in losses.values()))
        assert got[t].item() == pytest.approx(sum(directions) / len(directions), rel=1e-6)


def test_consensus_is_the_least_distance_that_any_point_has():
    net, views = network(), some()
    got = made("consensus", net)(net, views)
    for t in range(TASKS):
        distances = []
        for row in range(ROWS):
            here = views.embeddings[t, row][views.present[t, row]]
            if len(here) > 1:
                distances += (here - here.mean(0)).square().mean(-1).tolist()
        assert got[t].item() == pytest.approx(sum(distances) / len(distances))


def test_reconstruction_is_computed_from_the_other_inputs_alone():
    net, views = network(), some()
    net.imputer = type(net.imputer)(INPUTS, DIM).double()
    term = made("reconstruct", net)
    got = term(net, views)
    for t in range(TASKS):
        of_input = []
        for i in range(INPUTS):
            losses = []
            for row in range(ROWS):
                others = views.present[t, row].clone()
                others[i] = False
                if views.present[t, row, i] and others.any():
                    mean, log_variance = net.imputer.estimate(views.embeddings[t, row] * others[:, None], others)
                    normal = torch.distributions.Normal(mean[i], (log_variance[i] / 2).exp())
                    losses.append(-normal.log_prob(views.embeddings[t, row, i]).mean() - 0.5 * math.log(2 * math.pi))
            of_input.append(sum(losses) / max(1, len(losses)))
        assert float(got[t]) == pytest.approx(float(sum(of_input)) / INPUTS)


def test_distillation_pulls_the_row_with_less_towards_the_whole_row():
    net = network(imputation="mask")
    batch = helpers.random_episode({n: helpers.MODALITIES[n] for n in INPUT_NAMES}, here=1.0)
    term = made("distil", net)
    torch.manual_seed(0)
    before = term(net, encode_batch(net, batch)).mean().item()
    assert before > 0.01
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in range(30):
        torch.manual_seed(step)
        optimiser.zero_grad()
        term(net, encode_batch(net, batch)).mean().backward()
        optimiser.step()
    torch.manual_seed(0)
    assert term(net, encode_batch(net, batch)).mean().item() < before / 2


@pytest.mark.parametrize("name", EVERY)
def test_rows_of_one_input_have_a_loss_of_zero(name):
    net, views = network(), some()
    net.imputer = type(net.imputer)(INPUTS, DIM).double()
    net.fusion = type(net.fusion)(INPUTS, DIM).double()
    alone = torch.zeros_like(views.present)
    alone[..., 0] = True
    x = (views.embeddings * alone[..., None]).requires_grad_()
    loss = made(name, net)(net, EncodedBatch(x, alone, x, alone, views.same))
    assert torch.equal(loss, torch.zeros(TASKS, dtype=torch.float64))
    loss.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", EVERY)
def test_what_is_stored_in_an_absent_cell_changes_nothing(name):
    net = network()
    term = made(name, net)
    batch = helpers.random_episode({n: helpers.MODALITIES[n] for n in INPUT_NAMES})
    gradients = []
    for junk in (0.0, math.nan):
        halves = []
        for half in (batch.support, batch.query):
            corrupted = dict(half.inputs)
            for i in (1, 2):
                absent = ~half.present[..., i]
                x = half.inputs[INPUT_NAMES[i]]
                corrupted[INPUT_NAMES[i]] = torch.where(absent.reshape(absent.shape + (1,) * (x.dim() - 2)), junk, x)
            halves.append(type(half)(corrupted, half.present, half.target, half.label, half.ways))
        torch.manual_seed(0)
        net.zero_grad()
        term(net, encode_batch(net, Episode(*halves))).mean().backward()
        gradients.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    assert gradients[0]
    assert all(a.isfinite().all() and torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("level", ["intermediate", "token"])
@pytest.mark.parametrize("ways", [3, None])
def test_the_gradient_is_that_of_the_weighted_mean_over_tasks(level, ways):
    net = network(level=level, imputation="mask")
    weights = {"infonce": 0.5, "sigmoid": 0.2, "consensus": 2.0}
    auxiliaries = Auxiliaries(net, weights).double()
    batch = helpers.random_episode({n: helpers.MODALITIES[n] for n in INPUT_NAMES}, tasks=3, ways=ways)
    losses = auxiliaries.backward(net, batch)
    got = [p.grad.clone() for p in net.parameters() if p.grad is not None]
    net.zero_grad()
    one_by_one = []
    for t in range(3):
        task = batch.select(slice(t, t + 1))
        loss = sum(w * auxiliaries.terms[n](net, encode_batch(net, task)) for n, w in weights.items())
        (loss.sum() / 3).backward()
        one_by_one.append(loss.detach())
    assert torch.allclose(losses, torch.cat(one_by_one))
    assert all(torch.allclose(a, p.grad) for a, p in zip(got, (p for p in net.parameters() if p.grad is not None),
                                                         strict=True))  # fmt: skip


def test_balance_evens_the_loads_of_experts():
    net = helpers.network(*INPUT_NAMES, fusion="mixture").double()
    term = made("balance", net)
    batch = helpers.random_episode({n: helpers.MODALITIES[n] for n in INPUT_NAMES}, tasks=8, here=1.0)
    views = encode_batch(net, batch)
    loads = net.fusion.gates(views.tokens, views.tokens_present).sum(1)
    before = term(net, views)
    for t in range(8):
        spread = loads[t] - loads[t].mean()
        assert before[t].item() == pytest.approx((spread.square().mean() / loads[t].mean() ** 2).item())
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(40):
        optimiser.zero_grad()
        term(net, encode_batch(net, batch)).mean().backward()
        optimiser.step()
    assert term(net, encode_batch(net, batch)).mean() < before.mean() / 2
    with pytest.raises(UsageError, match=r"'balance' .* needs fusion='mixture'"):
        made("balance", network())


def test_in_regression_only_the_cells_of_one_row_match():
    net = network(imputation="mask")
    batch = helpers.random_episode({n: helpers.MODALITIES[n] for n in INPUT_NAMES}, ways=None)
    same = encode_batch(net, batch).same
    assert torch.equal(same, torch.eye(same.shape[-1], dtype=torch.bool).expand_as(same))


def test_embeddings_come_to_agree_as_they_are_aligned():
    """Two different views of three latent points: training on `infonce` alone aligns them."""
    net = helpers.network("sensor", "facts", fusion="sum").double()
    auxiliaries = Auxiliaries(net, {"infonce": 1.0}).double()
    modalities = {n: helpers.MODALITIES[n] for n in net.names}
    centres = helpers.random_rows(modalities, (3,), 3, seed=5, here=1.0)

    def draw(seed: int) -> Episode:
        batch = helpers.random_episode(modalities, tasks=4, seed=seed, here=1.0)
        for half in (batch.support, batch.query):
            for name, x in half.inputs.items():
                if name == "sensor":
                    x.mul_(0.3).add_(centres.inputs[name][half.target])
                else:
                    x.copy_(centres.inputs[name][half.target])
        return batch

    optimiser = torch.optim.Adam([*net.parameters(), *auxiliaries.parameters()], lr=1e-2)
    for step in range(60):
        optimiser.zero_grad()
        auxiliaries.backward(net, draw(step))
        optimiser.step()
    views = encode_batch(net, draw(1000))
    first, second = F.normalize(views.embeddings, dim=-1).unbind(-2)
    nearest = (first @ second.mT).argmax(-1)
    correct = views.same.gather(-1, nearest[..., None])
    assert correct.double().mean() > 0.95


def test_they_need_embeddings_of_two_inputs():
    with pytest.raises(
        UsageError, match=r"infonce compares the inputs of a row, of which this network has one .words."
    ):
        Auxiliaries(helpers.network("words"), {"infonce": 1.0})
    with pytest.raises(UsageError, match=r"'reconstruct' .* needs imputation='impute'"):
        Auxiliaries(helpers.network("words", "facts"), {"reconstruct": 1.0})
    with pytest.raises(UsageError, match=r"level 'early' has no embeddings"):
        Auxiliaries(helpers.network("words", "facts", level="early"), {"distil": 1.0})
