"""Greedy and beam search for the likeliest text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from omnishot.nn.decoders.tokens import BOS, EOS, PAD
from omnishot.nn.layers import transformed

#: The log-likelihood of a text is divided by its length to this power (Wu et al. 2016, Google's NMT, §7, eq. 14).
LENGTH_PENALTY = 0.7


def beam_search(
    state: Any,
    step: Callable[[Any, Tensor, int], tuple[Tensor, Any]],
    width: int,
    longest: int,
    excluded: Sequence[int] = (),
) -> Tensor:
    """The likeliest text of every row by beam search of this `width`; width 1 is greedy search.

    Texts are ranked by their log-likelihood divided by a power of their length, end token included (`LENGTH_PENALTY`).
    Runs under `torch.vmap`, so that the rows of many tasks, each with its own decoder, are searched together.

    Args:
        state: before the first token, a tree of tensors `[rows, 1, …]`.
        step: `(state, tokens [rows, beams], position) -> (log-probabilities [rows, beams, vocabulary], state)`.
        longest: largest number of tokens of a text, end token included: the last token can only be the end.
        excluded: tokens that are never generated. (The probabilities of the others are not renormalised.)

    Returns:
        int64 `[rows, longest]`: tokens without the end, then padding.
    """
    leaf = tree_leaves(state)[0]
    rows = leaf.shape[0]
    texts = torch.zeros(rows, 1, 0, dtype=torch.long, device=leaf.device)
    last = texts.new_full((rows, 1), BOS)
    score, done = leaf.new_zeros(rows, 1), last == EOS
    for position in range(longest):
        logs, state = step(state, last, position)
        logs = _allowed(logs, excluded, done, only_end=position == longest - 1)
        beams = min(width, logs.shape[-1] * logs.shape[-2])
        score, best = (score[..., None] + logs).flatten(-2).topk(beams, -1)
        parent, last = best // logs.shape[-1], best % logs.shape[-1]
        texts = torch.cat([_select(texts, parent), last[..., None]], -1)
        done = _select(done, parent) | (last == EOS)
        state = tree_map(lambda t, parent=parent: _select(t, parent), state)
        if not transformed() and bool(done.all()):
            break
    length = ((texts != PAD) & (texts != EOS)).sum(-1) + 1
    best = (score / length**LENGTH_PENALTY).argmax(-1, keepdim=True)
    text = _select(texts, best).squeeze(1)
    text = torch.where(text == EOS, PAD, text)
    return torch.cat([text, text.new_full((rows, longest - text.shape[-1]), PAD)], -1)


def _allowed(logs: Tensor, excluded: Sequence[int], done: Tensor, only_end: bool) -> Tensor:
    """Log-probabilities `[rows, beams, vocabulary]`, -inf for tokens that cannot follow."""
    vocabulary = torch.arange(logs.shape[-1], device=logs.device)
    barred = torch.isin(vocabulary, torch.tensor(excluded, device=logs.device)) if len(excluded) else vocabulary < 0
    if only_end:
        barred = vocabulary != EOS
    logs = torch.where(barred, -torch.inf, logs)
    # A text that is `done` continues with padding, of log-probability 0.
    return torch.where(done[..., None], torch.where(vocabulary == PAD, 0.0, -torch.inf), logs)


def _select(tensor: Tensor, beams: Tensor) -> Tensor:
    """The `beams` `[rows, beams]` of a tensor `[rows, beams before, …]`."""
    index = beams.reshape(beams.shape + (1,) * (tensor.dim() - 2)).expand(*beams.shape, *tensor.shape[2:])
    return tensor.gather(1, index)
