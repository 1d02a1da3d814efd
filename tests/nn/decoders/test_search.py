"""Beam search against every sentence written out, on vocabularies small enough for that."""

from __future__ import annotations

import copy
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import vmap

from omnishot.nn.decoders.search import LENGTH_PENALTY, beam_search
from omnishot.nn.decoders.tokens import BOS, EOS, PAD, UNKNOWN

VOCABULARY, LONGEST, ROWS, WIDTH = 7, 4, 3, 5
EXCLUDED = (PAD, BOS, UNKNOWN)


class RandomDecoder:
    """A random recurrent network whose next token depends on all before it."""

    def __init__(self, seed: int, sharp: float = 2.0, vocabulary: int = VOCABULARY):
        g = torch.Generator().manual_seed(seed)
        self.start = torch.randn(ROWS, 1, WIDTH, generator=g, dtype=torch.float64)
        self.carry = torch.randn(WIDTH, WIDTH, generator=g, dtype=torch.float64)
        self.words = torch.randn(vocabulary, WIDTH, generator=g, dtype=torch.float64)
        self.places = torch.randn(20, WIDTH, generator=g, dtype=torch.float64)
        self.sharp = sharp

    def step(self, state: dict[str, Tensor], tokens: Tensor, position: int) -> tuple[Tensor, dict[str, Tensor]]:
        text = torch.nn.functional.embedding(tokens, self.words)
        h = torch.tanh(state["h"] @ self.carry + text + self.places[position])
        return (self.sharp * h @ self.words.mT).log_softmax(-1), {"h": h}

    def search(self, width: int, longest: int = LONGEST) -> list[list[int]]:
        result = beam_search({"h": self.start}, self.step, width, longest, EXCLUDED)
        assert result.shape == (ROWS, longest)
        assert result.dtype == torch.int64
        return [trimmed(row) for row in result.tolist()]

    def log_likelihood(self, row: int, sentence: tuple[int, ...], end: bool = True) -> float:
        """Of a sentence and its end, token by token."""
        state, last, total = {"h": self.start[row : row + 1]}, BOS, 0.0
        for position, token in enumerate((*sentence, EOS) if end else sentence):
            logs, state = self.step(state, torch.tensor([[last]]), position)
            total, last = total + logs[0, 0, token].item(), token
        return total


def trimmed(row: list[int]) -> list[int]:
    """A sentence without the padding, which must stand behind it."""
    text = row[: row.index(PAD)] if PAD in row else row
    assert all(token == PAD for token in row[len(text) :])
    return text


def generable(vocabulary: int = VOCABULARY) -> list[int]:
    return [token for token in range(vocabulary) if token not in (*EXCLUDED, EOS)]


@pytest.mark.parametrize("seed", range(20))
def test_a_width_of_everything_finds_the_likeliest_sentence(seed):
    """The likeliest by the length normalisation that it documents; often not the likeliest without it."""
    decoder = RandomDecoder(seed)
    every = [s for n in range(LONGEST) for s in product(generable(), repeat=n)]
    for row, result in enumerate(decoder.search(len(generable()) ** LONGEST * 4)):
        scores = {s: decoder.log_likelihood(row, s) / (len(s) + 1) ** LENGTH_PENALTY for s in every}
        assert tuple(result) == max(scores, key=scores.__getitem__)


def test_length_counts_in_what_is_likeliest():
    """Otherwise the test above would be as good without it."""
    shorter = 0
    for seed in range(20):
        decoder = RandomDecoder(seed)
        every = [s for n in range(LONGEST) for s in product(generable(), repeat=n)]
        for row, result in enumerate(decoder.search(1000)):
            shorter += len(max(every, key=lambda s, r=row, k=decoder: k.log_likelihood(r, s))) < len(result)
    assert shorter > 5


@pytest.mark.parametrize("seed", range(20))
def test_a_width_of_one_is_greedy(seed):
    decoder = RandomDecoder(seed)
    for row, result in enumerate(decoder.search(1, longest=8)):
        text: list[int] = []
        state, last = {"h": decoder.start[row : row + 1]}, BOS
        while len(text) < 7:
            logs, state = decoder.step(state, torch.tensor([[last]]), len(text))
            last = max((t for t in range(VOCABULARY) if t not in EXCLUDED), key=lambda t, p=logs: p[0, 0, t].item())
            if last == EOS:
                break
            text.append(last)
        assert result == text


@given(seed=st.integers(0, 999), width=st.integers(1, 9), sharp=st.sampled_from([0.1, 1.0, 4.0]))
@settings(max_examples=30)
def test_the_result_is_a_sentence(seed, width, sharp):
    for result in RandomDecoder(seed, sharp).search(width, longest=6):
        assert len(result) <= 5  # its end is the sixth
        assert not {*result} & {*EXCLUDED, EOS}


@given(seed=st.integers(0, 999), width=st.integers(1, 6))
@settings(max_examples=20)
def test_a_row_is_searched_alone_as_with_others(seed, width):
    decoder = RandomDecoder(seed)
    together = decoder.search(width, longest=6)
    for row in range(ROWS):
        alone = beam_search({"h": decoder.start[row : row + 1]}, decoder.step, width, 6, EXCLUDED)
        assert trimmed(alone[0].tolist()) == together[row]


@pytest.mark.parametrize("width", [1, 2, 5, 200])
def test_many_tasks_at_once_are_searched_as_each_alone(width):
    """Every task with a decoder of its own, under vmap, where it cannot stop before the last position."""
    decoders = [RandomDecoder(seed) for seed in range(4)]
    tensors = {n: torch.stack([getattr(s, n) for s in decoders]) for n in ("start", "carry", "words", "places")}

    def search(tree: dict[str, Tensor]) -> Tensor:
        decoder = copy.copy(decoders[0])
        decoder.__dict__ |= tree
        return beam_search({"h": decoder.start}, decoder.step, width, 6, EXCLUDED)

    result = vmap(search)(tensors)
    for decoder, rows in zip(decoders, result.tolist(), strict=True):
        assert [trimmed(row) for row in rows] == decoder.search(width, longest=6)


def test_it_stops_when_every_sentence_has_ended():
    positions = []

    def step(state: dict[str, Tensor], tokens: Tensor, position: int) -> tuple[Tensor, dict[str, Tensor]]:
        positions.append(position)
        logs = torch.full((*tokens.shape, VOCABULARY), -9.0)
        logs[..., EOS if position >= 2 else 5] = -0.01
        return logs, state

    result = beam_search({"h": torch.zeros(2, 1, 1)}, step, 1, 50, EXCLUDED)
    assert positions == [0, 1, 2]
    assert [trimmed(row) for row in result.tolist()] == [[5, 5], [5, 5]]
    assert result.shape == (2, 50)


def test_one_that_never_ends_is_cut_off_where_its_end_must_be():
    def step(state: dict[str, Tensor], tokens: Tensor, position: int) -> tuple[Tensor, dict[str, Tensor]]:
        logs = torch.full((*tokens.shape, VOCABULARY), -1e4)
        logs[..., 6] = 0.0
        return logs, state

    for width in (1, 3):
        result = beam_search({"h": torch.zeros(1, 1, 1)}, step, width, 5, EXCLUDED)
        assert result.tolist() == [[6, 6, 6, 6, PAD]]


def test_no_rows():
    result = beam_search({"h": torch.zeros(0, 1, WIDTH, dtype=torch.float64)}, RandomDecoder(0).step, 3, 4, EXCLUDED)
    assert result.shape == (0, 4)
