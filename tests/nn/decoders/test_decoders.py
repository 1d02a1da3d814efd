"""Autoregressive decoders: invariants of their loss, their new words and the texts that they generate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from support import helpers
from torch import Tensor
from torch.func import vmap

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner
from omnishot.nn.decoders import DECODERS
from omnishot.nn.decoders.base import LOG_ZERO, Decoder, TextDistribution
from omnishot.nn.decoders.tokens import BOS, EOS, PAD, UNKNOWN

DIM, VOCABULARY, NEW, LONGEST = 8, 9, 3, 6
TEXT_OBJECTIVES = [name for name in DECODERS.names() if issubclass(DECODERS.load(name), Decoder)]
OPTIONS = {"transformer": {"layers": 2, "heads": 2}, "gru": {"heads": 2}}


def decoder(name: str, seed: int = 0, words: str = "prototype", new: int = NEW) -> Decoder:
    """In float64, every parameter away from its initial value."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = DECODERS.load(name)(DIM, VOCABULARY, new, LONGEST, words, **OPTIONS[name]).double()
        with torch.no_grad():
            for p in head.parameters():
                p.add_(0.3 * torch.randn(p.shape, dtype=p.dtype))
    return head


def memory(rows: int = 4, seed: int = 0, tokens: int = 5) -> tuple[Tensor, Tensor]:
    """As a network gives it: the first token is present in every row, and the only one of the last row."""
    g = torch.Generator().manual_seed(seed)
    here = torch.rand(rows, tokens, generator=g) < 0.6
    here[:, 0], here[-1, 1:] = True, False
    return torch.randn(rows, tokens, DIM, generator=g, dtype=torch.float64), here


def texts(*rows: list[list[int]], longest: int = LONGEST) -> Tensor:
    target = torch.full((len(rows), max(map(len, rows)), longest), PAD)
    for row, sentences in zip(target, rows, strict=True):
        for place, text in zip(row, sentences, strict=False):
            place[: len(text) + 1] = torch.tensor([*text, EOS])
    return target


#: The words 9 and 10 are new ones of the task; no row has 11.
SUPPORT = texts([[4, 5, 9], [9, 6]], [[7, 10]], [[]], [[8, 9, 4, 5]])


def task_of(head: Decoder, target: Tensor = SUPPORT, seed: int = 0) -> dict[str, Tensor]:
    """A task's parameters after its support rows."""
    memories = memory(len(target), seed)
    support = Rows({}, memories[1], target)
    with torch.no_grad():
        return head.start(dict(head.named_parameters()), lambda: memories, support)


def predict(
    head: Decoder, task: dict[str, Tensor] | None = None, memories: tuple[Tensor, Tensor] | None = None
) -> TextDistribution:
    with torch.no_grad():
        return head.predict(task or task_of(head), memories or memory(seed=1))


@pytest.mark.parametrize("name", TEXT_OBJECTIVES)
def test_teacher_forcing_equals_decoding_step_by_step(name):
    """One pass over the text gives the logits that decoding computes with its cache."""
    prediction, head = predict(decoder(name)), decoder(name)
    target = texts([[4, 9, 5]], [[7, 7, 10, 6, 4]], [[]], [[8, 4]])
    with torch.no_grad():
        projected = head.project_memory(prediction.memory, prediction.present)
        state, last, results = head.initial_state(projected), torch.full((4, 1), BOS), []
        for position in range(LONGEST):
            h, state = head.step(projected, state, head.embed(prediction.task["words"], last), position)
            results.append(head.logits(prediction.task["words"], prediction.task["word_bias"], head.norm(h)))
            last = target[..., position]
        assert torch.allclose(torch.stack(results, 2), prediction.logits(target), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", TEXT_OBJECTIVES)
def test_decoding_is_causal(name):
    """The logits of a token depend on the tokens before it and on no other."""
    prediction = predict(decoder(name))
    target = texts(*[[[4, 5, 6, 7]]] * 4)
    before = prediction.logits(target)
    for position in range(LONGEST):
        other = target.clone()
        other[..., position] = 8
        same = (prediction.logits(other) - before).abs().amax((0, 1, 3)) < 1e-12
        assert same[: position + 1].all()
        assert not same[position + 1 :].any()


@pytest.mark.parametrize("name", TEXT_OBJECTIVES)
def test_padding_never_counts(name):
    """Longer padding and further empty places change neither loss nor token accuracy."""
    prediction = predict(decoder(name))
    target = texts([[4, 9], [5]], [[7, 10, 6]], [[]], [[8]], longest=4)
    longer = F.pad(target, (0, LONGEST - 4, 0, 3))
    assert torch.allclose(prediction.loss(longer), prediction.loss(target), rtol=1e-12)
    assert prediction.accuracy(longer).item() == pytest.approx(prediction.accuracy(target).item(), rel=1e-6)
    logs = prediction.logits(target).log_softmax(-1)
    expected, right, count = 0.0, 0, 0
    for place in (target != PAD).nonzero().tolist():
        expected -= logs[(*place, target[tuple(place)])].item()
        right += bool(logs[tuple(place)].argmax() == target[tuple(place)])
        count += 1
    assert count == 12  # seven words and five ends
    assert prediction.loss(target).item() == pytest.approx(expected / count, rel=1e-12)
    assert prediction.accuracy(target).item() == pytest.approx(right / count, rel=1e-6)
    nothing = torch.zeros_like(target)
    assert prediction.loss(nothing) == prediction.accuracy(nothing) == 0


@pytest.mark.parametrize("name", TEXT_OBJECTIVES)
def test_new_words_are_initialised_from_the_support_rows(name):
    """A class mean through a linear map: computed by hand."""
    head = decoder(name)
    task, memories = task_of(head), memory(len(SUPPORT))
    with torch.no_grad():
        states = head.teacher_forcing(*memories, head.new_word.expand(NEW, -1), SUPPORT)
    for word, places in ((9, [(0, 0, 2), (0, 1, 0), (3, 0, 1)]), (10, [(1, 0, 1)])):
        mean = torch.stack([states[place] for place in places]).mean(0)
        assert torch.allclose(task["words"][word - VOCABULARY], head.prototype.weight @ mean, rtol=1e-10)
    assert task["words"][2].eq(0).all()
    assert task["word_bias"].tolist() == [0, 0, LOG_ZERO]
    fixed = decoder(name, words="linear")
    assert torch.equal(task_of(fixed)["words"][:2], fixed.new_word.detach().expand(2, -1))
    assert "prototype.weight" not in dict(fixed.named_parameters())


@pytest.mark.parametrize("words", ["prototype", "linear"])
@pytest.mark.parametrize("name", TEXT_OBJECTIVES)
def test_the_numbers_of_new_words_do_not_matter(name, words):
    """Renumbered words and support rows in another order give the same, renumbered."""
    head, other = decoder(name, words=words), torch.tensor([*range(VOCABULARY), 11, 9, 10])
    order = torch.tensor([2, 0, 3, 1])
    memories = memory(len(SUPPORT))
    support = Rows({}, memories[1][order], other[SUPPORT][order])
    with torch.no_grad():
        again = head.start(dict(head.named_parameters()), lambda: (memories[0][order], memories[1][order]), support)
    query = texts([[4, 9]], [[7, 10, 9]], [[9]], [[8]])
    one, two = predict(head), predict(head, again)
    assert torch.allclose(two.logits(other[query])[..., other], one.logits(query), rtol=1e-10, atol=1e-10)
    assert torch.allclose(two.loss(other[query]), one.loss(query), rtol=1e-10)
    if words == "prototype":  # words with equal vectors are generated in their order
        assert torch.equal(two.decode(3, LONGEST), other[one.decode(3, LONGEST)])


@pytest.mark.parametrize("name", TEXT_OBJECTIVES)
@pytest.mark.parametrize("width", [1, 4])
def test_excluded_tokens_are_never_generated(name, width):
    """Special tokens and words that no support row has, however large their logits."""
    generated = set()
    for seed in range(6):
        head = decoder(name, seed)
        with torch.no_grad():
            head.embedding[[PAD, BOS, UNKNOWN]] *= 30
        tokens = predict(head, task_of(head, seed=seed), memory(40, seed)).decode(width, LONGEST)
        assert tokens.shape == (40, LONGEST)
        assert not torch.isin(tokens, torch.tensor([BOS, EOS, UNKNOWN, 11])).any()
        ended = (tokens == PAD).long()
        assert (ended.diff() >= 0).all()  # padding stands at the end, and there is some
        assert ended[:, -1].all()
        generated |= {*tokens.flatten().tolist()}
    assert {9, 10} <= generated  # the new words of the task are generated


@pytest.mark.parametrize("name", TEXT_OBJECTIVES)
def test_absent_tokens_change_nothing(name):
    head, (tokens, here) = decoder(name), memory(seed=1)
    target = texts([[4, 9]], [[7]], [[]], [[8, 5]])
    clean = predict(head, memories=(tokens, here))
    for junk in (1e30, -7.5):
        other = predict(head, memories=(torch.where(here.unsqueeze(-1), tokens, junk), here))
        assert torch.equal(other.logits(target), clean.logits(target))
        assert torch.equal(other.decode(3, LONGEST), clean.decode(3, LONGEST))


@pytest.mark.parametrize("name", TEXT_OBJECTIVES)
def test_tasks_are_decoded_at_once_as_each_alone(name):
    """Every task has parameters of its own."""
    heads = [decoder(name, seed) for seed in range(3)]
    tasks, memories = [task_of(head) for head in heads], [memory(4, seed) for seed in range(3)]
    stacked = {n: torch.stack([task[n] for task in tasks]) for n in tasks[0]}
    both = [torch.stack(parts) for parts in zip(*memories, strict=True)]
    for width in (1, 3):
        together = vmap(lambda task, m, h, w=width: heads[0].predict(task, (m, h)).decode(w, LONGEST))(stacked, *both)
        for head, task, own, results in zip(heads, tasks, memories, together, strict=True):
            assert torch.equal(results, predict(head, task, own).decode(width, LONGEST))


@pytest.mark.parametrize("name", TEXT_OBJECTIVES)
def test_without_new_words(name):
    head = decoder(name, new=0)
    task = task_of(head, texts([[4, 5]], [[7]], [[]], [[8]]))
    assert "words" not in head.shapes()
    assert task["words"].shape == (0, DIM)
    assert predict(head, task).decode(2, LONGEST).shape == (4, LONGEST)


@pytest.mark.parametrize("name", TEXT_OBJECTIVES)
def test_no_new_word_is_generated_before_any_support_row(name):
    head = decoder(name)
    with torch.no_grad():
        task = head.initial_params(dict(head.named_parameters()), None)
    assert not (predict(head, task, memory(40)).decode(3, LONGEST) >= VOCABULARY).any()


def test_what_decoders_refuse():
    with pytest.raises(UsageError, match="unknown head 'prototyp': did you mean 'prototype'"):
        decoder("gru", words="prototyp")
    with pytest.raises(UsageError, match="a decoder of 0 layers: use 1 or more"):
        DECODERS.load("transformer")(DIM, VOCABULARY, NEW, LONGEST, layers=0)
    for name in TEXT_OBJECTIVES:
        with pytest.raises(UsageError, match="cannot share a width of 8 among 3 heads"):
            DECODERS.load(name)(DIM, VOCABULARY, NEW, LONGEST, heads=3)


# -- under a learner, over a network -----------------------------------------------------------------------


def predicted(method: Learner, task: Episode) -> tuple[Tensor, Tensor]:
    """Scores of the query rows' own texts, and the texts generated for them."""
    prediction = method.answer(method.adapt(task.support), task.query)
    return helpers.scores(prediction, task.query), prediction.decode(3, 5)


def with_rows(change: Callable[[Rows], Rows], episode: Episode) -> Episode:
    return Episode(change(episode.support), change(episode.query))


@pytest.mark.parametrize("decoder", helpers.SPEAKERS)
def test_absent_cells_change_no_text(decoder):
    """Bit for bit; a row with every cell missing has a text."""
    method = helpers.speaker("maml", decoder, helpers.network("words", "facts", **helpers.OTHER_NETWORKS["model"]))
    clean = helpers.episode_for(method, tasks=1).task(0)

    def corrupted(rows: Rows) -> Rows:
        facts = torch.where(rows.present[..., 1, None, None], rows.inputs["facts"], math.nan)
        words = torch.where(rows.present[..., 0, None], rows.inputs["words"], 7)
        return dataclasses.replace(rows, inputs={"words": words, "facts": facts})

    assert not clean.query.present[0].any()
    one, two = predicted(method, clean), predicted(method, with_rows(corrupted, clean))
    assert one[0].isfinite().all()
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    batch = Episode(clean.support.map(lambda t: t[None]), clean.query.map(lambda t: t[None]))
    gradients = [helpers.meta_gradient(method, each) for each in (batch, with_rows(corrupted, batch))]
    assert all(torch.equal(g, gradients[1][n]) for n, g in gradients[0].items())


@pytest.mark.parametrize("decoder", helpers.SPEAKERS)
def test_a_row_alone_has_the_text_that_it_has_in_a_batch(decoder):
    method = helpers.speaker("maml", decoder).float()
    task = helpers.episode_for(method, tasks=1, queries=3, dtype=torch.float32).task(0)
    state = method.adapt(task.support)
    together = method.answer(state, task.query)
    for i in range(len(task.query)):
        row = task.query.select(slice(i, i + 1))
        alone = method.answer(state, row)
        assert torch.allclose(
            helpers.scores(alone, row), helpers.scores(together, task.query)[i : i + 1], rtol=1e-5, atol=1e-5
        )
        assert torch.equal(alone.decode(3, 5), together.decode(3, 5)[i : i + 1])
