"""The mixture of the inputs' prototypes against the same computation in NumPy, cells missing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import helpers

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.learners.am3 import AM3
from omnishot.nn.network import build_network
from omnishot.objectives.classify import Classify

INPUTS = {n: helpers.MODALITIES[n] for n in ("photo", "words", "facts")}


def votes(method: AM3, part: int, x: np.ndarray) -> np.ndarray:
    first, _, last = method.trust[part]
    weight, bias, out = (p.detach().numpy() for p in (first.weight, first.bias, last.weight))
    return out @ np.maximum(weight @ x + bias, 0)


def plain(method: AM3, support: Rows, query: Rows, guides: list[int], ways: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Scores `[rows, ways]` and mixture `[ways, inputs]`, cell by cell."""
    x, asked = (method.embeddings(method.params(), rows).detach().numpy() for rows in (support, query))
    here, y, inputs = support.present.numpy(), support.target.numpy(), x.shape[1]
    mixture, scores = np.zeros((ways, inputs)), np.zeros((len(asked), ways))
    for k in range(ways):
        cells = [x[(y == k) & here[:, i], i] for i in range(inputs)]
        means = {i: c.mean(0) for i, c in enumerate(cells) if len(c)}
        trust = method.bias.detach().numpy().copy()
        for part, g in enumerate(guides):
            trust += votes(method, part, means[g]) if g in means else 0
        mixture[k, list(means)] = np.exp(trust[list(means)]) / np.exp(trust[list(means)]).sum()
        prototype = sum((mixture[k, i] * m for i, m in means.items()), np.zeros(x.shape[2]))
        for r, row in enumerate(asked):
            has = row[query.present[r].numpy()]
            q = has.mean(0) if len(has) else np.zeros(x.shape[2])
            scores[r, k] = -math.exp(method.log_scale.item()) * ((q - prototype) ** 2).sum()
    return scores, mixture


@pytest.mark.parametrize(("guide", "guides"), [(None, [1]), ("photo", [0]), ("facts", [2])])
@pytest.mark.parametrize("seed", range(3))
def test_predictions_equal_a_plain_computation(guide, guides, seed):
    method = helpers.learner("am3", helpers.network(*INPUTS), guide=guide)
    task = helpers.random_episode(INPUTS, tasks=1, seed=seed).task(0)
    task.support.target[:2] = 0  # unequal shots
    state = method.adapt(task.support)
    scores, mixture = plain(method, task.support, task.query, guides)
    assert np.allclose(state["mixture"], mixture, rtol=1e-8, atol=1e-8)
    assert np.allclose(method.answer(state, task.query), scores, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("lacks", [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2]])
def test_a_class_that_lacks_inputs(lacks):
    """Its mixture is of the others; that of the other classes is as it was; without any, it is finite."""
    method = helpers.learner("am3", helpers.network(*INPUTS))
    task = helpers.random_episode(INPUTS, tasks=1, here=1.0).task(0)
    full = method.adapt(task.support)["mixture"]
    for i in lacks:
        task.support.present[task.support.target == 1, i] = False
    state = method.adapt(task.support)
    assert torch.equal(state["mixture"][[0, 2]], full[[0, 2]])
    assert (state["mixture"][1, lacks] == 0).all()
    assert state["mixture"][1].sum().item() == pytest.approx(float(len(lacks) < 3))
    scores, _ = plain(method, task.support, task.query, [1])
    assert np.allclose(method.answer(state, task.query), scores, rtol=1e-8, atol=1e-8)


def test_without_a_text_every_input_guides():
    net = helpers.network("photo", "facts")
    modalities = {n: INPUTS[n] for n in ("photo", "facts")}
    method = helpers.learner("am3", net)
    task = helpers.random_episode(modalities, tasks=1).task(0)
    scores, _ = plain(method, task.support, task.query, [0, 1])
    assert np.allclose(method.answer(method.adapt(task.support), task.query), scores, rtol=1e-8, atol=1e-8)


def test_two_inputs_are_mixed_by_a_sigmoid_as_published():
    method = helpers.learner("am3", helpers.network("photo", "words"))
    modalities = {n: INPUTS[n] for n in ("photo", "words")}
    task = helpers.random_episode(modalities, tasks=1, here=1.0).task(0)
    words = method.embeddings(method.params(), task.support)[:, 1].detach().numpy()
    mixture = method.adapt(task.support)["mixture"]
    for k in range(3):
        h = method.bias.detach().numpy() + votes(method, 0, words[task.support.target == k].mean(0))
        assert mixture[k, 0].item() == pytest.approx(1 / (1 + math.exp(h[1] - h[0])), rel=1e-8)


def hinted(seed: int, tasks: int, shots: int = 2, queries: int = 4) -> tuple[Episode, torch.Tensor]:
    """Half of the classes are told by sight, whose support rows are all noise for the rest; a hint says which are.

    The others are told by the hint, whose other numbers are noise for the classes told by sight. Returns also which
    classes sight tells, bool `[tasks, 6]`.
    """
    g = torch.Generator().manual_seed(seed)
    seen = torch.rand(tasks, 6, generator=g).argsort(-1) < 3
    centre = 2 * torch.randn(tasks, 6, 1, 4, generator=g)
    rows = shots + queries
    noise = [3 * torch.randn(tasks, 6, rows, 4, generator=g) for _ in range(2)]
    mine = centre + 0.3 * torch.randn(tasks, 6, rows, 4, generator=g)
    tells = seen[:, :, None, None]
    sight = torch.where(tells, mine, noise[0])
    hint = torch.cat([torch.where(tells, noise[1], mine), (2.0 * tells - 1).expand(-1, -1, rows, 1)], -1)
    halves = []
    for part in (slice(shots), slice(shots, None)):
        inputs = {n: x[:, :, part].flatten(1, 2) for n, x in (("sight", sight), ("hint", hint))}
        n = inputs["sight"].shape[1]
        target = torch.arange(6).repeat_interleave(n // 6).expand(tasks, -1).contiguous()
        cells = {name: torch.stack([x, torch.ones_like(x)], -1) for name, x in inputs.items()}
        halves.append(Rows(cells, torch.ones(tasks, n, 2, dtype=torch.bool), target, None, 6))
    return Episode(*halves), seen


def test_it_learns_which_input_to_trust_for_which_class():
    torch.manual_seed(0)
    net = build_network({"sight": helpers.tabular(4), "hint": helpers.tabular(5)}, "sum", 16)
    method = helpers.trained(AM3(net, Classify(), guide="hint"), lambda step: hinted(step, 8)[0], 200)
    unseen, seen = hinted(10_000, 30)
    assert helpers.judged(method, unseen) > 0.9
    sight = torch.stack([method.adapt(unseen.support.task(t))["mixture"][:, 0] for t in range(30)])
    assert sight[seen].min() > sight[~seen].max() + 0.2


def test_notes_say_how_much_each_input_counts():
    method = helpers.learner("am3", helpers.network(*INPUTS))
    mixture = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]])
    assert method.notes({"mixture": mixture}) == {"mixture": "photo 38%, words 38%, facts 25%"}


def test_what_it_cannot_do_is_refused():
    with pytest.raises(UsageError, match=r"'am3' needs 2 inputs or more, the network reads 1 \(facts\): add input col"):
        AM3(helpers.network("facts"), Classify())
    with pytest.raises(UsageError, match="unknown input to guide 'word': did you mean 'words'"):
        helpers.learner("am3", helpers.network(*INPUTS), guide="word")
    with pytest.raises(UsageError, match="hidden=0: use 1 or more"):
        helpers.learner("am3", helpers.network(*INPUTS), hidden=0)
