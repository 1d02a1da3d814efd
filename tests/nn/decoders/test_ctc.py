"""CTC against torch's own loss, against sums over every way to write a sentence, and against finite differences."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import groupby, pairwise, product

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import vmap

from omnishot.errors import UsageError
from omnishot.nn.decoders.ctc import BLANK, CTC, LOG_ZERO, AlignedDistribution
from omnishot.nn.decoders.tokens import BOS, EOS, PAD, UNKNOWN

VOCABULARY, DIM = 7, 8
LETTERS = (4, 5, 6)


def logs_of(rows: int, steps: int, seed: int, spread: float = 2.0) -> Tensor:
    """Log-probabilities `[rows, steps, VOCABULARY]` as the decoder gives them: no beginning, no end."""
    g = torch.Generator().manual_seed(seed)
    scores = spread * torch.randn(rows, steps, VOCABULARY, generator=g, dtype=torch.float64)
    scores[..., [BOS, EOS]] = LOG_ZERO
    return scores.log_softmax(-1)


def encoded(*rows: list[list[int]], longest: int = 6) -> Tensor:
    """Sentences of every row `[rows, sentences, longest]`, ended and padded; a missing sentence is padding."""
    most = max(map(len, rows))
    target = torch.full((len(rows), most, longest), PAD)
    for row, sentences in zip(target, rows, strict=True):
        for place, text in zip(row, sentences, strict=False):
            place[: len(text) + 1] = torch.tensor([*text, EOS])
    return target


def steps_needed(text: list[int]) -> int:
    """Moments that it takes: one a token, and one between two that are alike."""
    return len(text) + sum(a == b for a, b in pairwise(text))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, Tensor, list[list[list[int]]]]:
    """Random log-probabilities, which steps there are, and sentences of every row."""
    rows, steps = draw(st.integers(1, 3)), draw(st.integers(1, 8))
    here = draw(st.lists(st.lists(st.booleans(), min_size=steps, max_size=steps), min_size=rows, max_size=rows))
    text = st.lists(st.sampled_from((*LETTERS, UNKNOWN)), max_size=5)
    texts = draw(st.lists(st.lists(text, min_size=1, max_size=3), min_size=rows, max_size=rows))
    return logs_of(rows, steps, draw(st.integers(0, 999))), torch.tensor(here), texts


@given(case=cases())
@settings(max_examples=60)
def test_log_likelihood_equals_torchs(case):
    """Any lengths, repetitions, steps that are not there, and sentences that cannot be written."""
    logs, here, texts = case
    result = AlignedDistribution(logs, here).log_likelihood(encoded(*texts))
    for row, sentences in enumerate(texts):
        own = logs[row][here[row]]
        for sentence, text in enumerate(sentences):
            if steps_needed(text) > len(own):
                assert result[row, sentence] < LOG_ZERO / 2
            elif not len(own):  # the empty text where there is no time step, which torch's loss does not take
                assert result[row, sentence] == 0
            else:
                lengths = (torch.tensor([len(own)]), torch.tensor([len(text)]))
                expected = F.ctc_loss(own[:, None], torch.tensor([text]).long(), *lengths, BLANK, "sum")
                assert result[row, sentence].item() == pytest.approx(-expected.item(), rel=1e-10, abs=1e-10)


@given(case=cases())
@settings(max_examples=25)
def test_the_gradient_equals_torchs(case):
    scores, here, texts = case
    texts = [[text for text in row if steps_needed(text) <= here[i].sum()][:1] or [[]] for i, row in enumerate(texts)]
    mine, theirs = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    AlignedDistribution(mine.log_softmax(-1), here).log_likelihood(encoded(*texts)).sum().backward()
    for row, (text,) in enumerate(texts):
        own = theirs[row][here[row]].log_softmax(-1)
        if len(own):
            path = torch.tensor([text]).long()
            (-F.ctc_loss(own[:, None], path, (len(own),), (len(text),), BLANK, "sum")).backward()
    expected = torch.zeros_like(theirs) if theirs.grad is None else theirs.grad
    assert torch.allclose(mine.grad, expected, atol=1e-10)


def test_the_gradient_and_its_gradient_equal_finite_differences():
    scores = logs_of(2, 6, 3).clone().requires_grad_()
    here = torch.tensor([[True] * 6, [True, False, True, True, False, True]])
    target = encoded([[4, 4, 5], [6]], [[5], [4, 6, 4]])

    def loss(scores: Tensor) -> Tensor:
        return AlignedDistribution(scores.log_softmax(-1), here).loss(target)

    assert torch.autograd.gradcheck(loss, (scores,))
    assert torch.autograd.gradgradcheck(loss, (scores,))


@given(case=cases())
@settings(max_examples=20)
def test_the_loss_counts_neither_padding_nor_what_cannot_be_written(case):
    """A mean over tokens; longer padding, further empty places and sentences that do not fit change nothing."""
    logs, here, texts = case
    aligned = AlignedDistribution(logs, here)
    fits = [[text for text in row if steps_needed(text) <= here[i].sum()] for i, row in enumerate(texts)]
    loss = aligned.loss(encoded(*texts))
    assert torch.allclose(loss, aligned.loss(F.pad(encoded(*texts), (0, 3, 0, 2))), rtol=1e-12)
    likelihood = sum(
        aligned.log_likelihood(encoded(*([text] for _ in texts)))[row, 0]
        for row, sentences in enumerate(fits)
        for text in sentences
    )
    tokens = sum(len(text) for sentences in fits for text in sentences)
    assert float(loss) == pytest.approx(-float(likelihood) / max(tokens, 1), rel=1e-9, abs=1e-9)


def test_many_tasks_at_once_are_each_as_alone():
    logs = torch.stack([logs_of(2, 6, seed) for seed in range(3)])
    here = torch.rand(3, 2, 6, generator=torch.Generator().manual_seed(0)) < 0.8
    target = torch.stack([encoded([[4, 5], [4]], [[6, 6]]), encoded([[4], [5]], [[6]]), encoded([[], [5]], [[6, 5]])])
    together = vmap(lambda *t: AlignedDistribution(*t[:2]).loss(t[2]))(logs, here, target)
    alone = [AlignedDistribution(logs[t], here[t]).loss(target[t]) for t in range(3)]
    assert torch.allclose(together, torch.stack(alone), rtol=1e-12)


# -- writing ---------------------------------------------------------------------------------------------


def collapsed(way: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(token for token, _ in groupby(way) if token != BLANK)


@pytest.mark.parametrize("seed", range(10))
def test_a_wide_search_equals_the_sum_over_all_ways(seed):
    logs = logs_of(1, 5, seed, spread=1.0)
    total: defaultdict[tuple[int, ...], float] = defaultdict(float)
    for way in product((BLANK, *LETTERS), repeat=5):
        total[collapsed(way)] += math.exp(sum(logs[0, t, token].item() for t, token in enumerate(way)))
    result = AlignedDistribution(logs, torch.ones(1, 5, dtype=torch.bool)).decode(2000, 6)[0].tolist()
    assert tuple(token for token in result if token != PAD) == max(total, key=total.__getitem__)


def test_the_likeliest_way_is_not_always_the_likeliest_sentence():
    """Two steps, blank 0.4 and one letter 0.35 at each: nothing is 0.16 likely, the letter 0.4025."""
    p = torch.full((1, 2, VOCABULARY), 1e-9, dtype=torch.float64)
    p[..., BLANK], p[..., 4], p[..., 5] = 0.4, 0.35, 0.25
    aligned = AlignedDistribution(p.log(), torch.ones(1, 2, dtype=torch.bool))
    assert aligned.decode(1, 3).tolist() == [[PAD, PAD, PAD]]
    assert aligned.decode(3, 3).tolist() == [[4, PAD, PAD]]


def test_greedy_takes_repetitions_as_one_and_leaves_blanks_out():
    way = (4, 4, BLANK, 4, 5, 5, 6, BLANK)
    logs = torch.full((2, len(way), VOCABULARY), -9.0)
    logs[:, range(len(way)), way] = 0.0
    here = torch.ones(2, len(way), dtype=torch.bool)
    here[1, 2] = False  # without the blank between them the letters are one
    for width in (1, 4):
        result = AlignedDistribution(logs, here).decode(width, 6)
        assert result.tolist() == [[4, 4, 5, 6, PAD, PAD], [4, 5, 6, PAD, PAD, PAD]]
    assert AlignedDistribution(logs, here).decode(1, 2).tolist() == [[4, 4], [4, 5]]  # cut off


@pytest.mark.parametrize("width", [1, 3])
def test_only_what_can_be_said_is_written(width):
    logs = logs_of(4, 9, 0)
    logs[..., UNKNOWN] = 3.0  # likelier than anything
    here = torch.ones(4, 9, dtype=torch.bool)
    here[0] = False  # nothing was heard
    result = AlignedDistribution(logs.log_softmax(-1), here).decode(width, 10)
    assert result[0].tolist() == [PAD] * 10
    assert result[1:].any()
    assert not torch.isin(result, torch.tensor([BOS, EOS, UNKNOWN])).any()


# -- the head --------------------------------------------------------------------------------------------


def decoder(**options: int) -> CTC:
    torch.manual_seed(0)
    return CTC(DIM, VOCABULARY, 0, 6, **options).double()


def test_no_time_step_begins_or_ends_a_sentence_and_absent_ones_change_nothing():
    head, g = decoder(), torch.Generator().manual_seed(1)
    memory = torch.randn(3, 6, DIM, generator=g, dtype=torch.float64)
    here = torch.tensor([[True] * 6, [True, True, False, True, False, True], [True] + [False] * 5])
    prediction = head.predict(head.start(dict(head.named_parameters()), lambda: (memory, here), None), (memory, here))
    assert torch.allclose(prediction.logs.exp().sum(-1), torch.ones(3, 5, dtype=torch.float64))
    assert prediction.logs[..., [BOS, EOS]].max() < LOG_ZERO / 2
    assert prediction.logs.isfinite().all()
    target = encoded([[4]], [[5, 6]], [[4]])
    other = torch.where(here.unsqueeze(-1), memory, 1e3)
    again = head.predict(dict(head.named_parameters()), (other, here))
    assert torch.equal(prediction.log_likelihood(target)[:2], again.log_likelihood(target)[:2])
    assert prediction.log_likelihood(target)[2] < LOG_ZERO / 2  # no time step, so no text but the empty one
    assert prediction.decode(1, 6)[2].tolist() == [PAD] * 6


def test_what_it_refuses():
    with pytest.raises(UsageError, match=r"own_words = 8.*say own_words=0"):
        CTC(DIM, VOCABULARY, 8, 6)
    with pytest.raises(UsageError, match="a decoder of -1 layers: use 0 or more"):
        decoder(layers=-1)
    with pytest.raises(UsageError, match="cannot share a width of 8 among 3 heads"):
        decoder(heads=3)
    assert decoder(layers=0).shapes().keys() == {"norm.scale", "norm.shift", "scores.weight", "scores.bias"}
