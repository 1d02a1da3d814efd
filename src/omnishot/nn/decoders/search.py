"""Greedy and beam search for the likeliest sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from omnishot.nn.decoders.tokens import BOS, EOS, PAD
from omnishot.nn.layers import transformed

#: What the score of a sentence is divided by: its length to this power (Wu et al. 2016, Google's NMT, §7, eq. 14).
LENGTH = 0.7


def beam_search(
    begin: Any,
    step: Callable[[Any, Tensor, int], tuple[Tensor, Any]],
    width: int,
    longest: int,
    never: Sequence[int] = (),
) -> Tensor:
    """The likeliest sentence of every row that a search keeping `width` beginnings finds; 1 is greedy.

    The likeliest is that of the greatest log-probability over a power of its length, its end counted (`LENGTH`).
    Runs under `torch.vmap`, so that the rows of many tasks, each with a decoder of its own, are searched at once.

    Args:
        begin: the state before the first token, a tree of tensors `[rows, 1, …]`.
        step: `(state, tokens [rows, beams], position) -> (log-probabilities [rows, beams, vocabulary], state)`.
        longest: tokens of a sentence at most, its end with them: the last can only be the end.
        never: tokens that are not said. (The others are as likely as `step` says.)

    Returns:
        int64 `[rows, longest]`: tokens without the end, then padding.
    """
    leaf = tree_leaves(begin)[0]
    rows = leaf.shape[0]
    said = torch.zeros(rows, 1, 0, dtype=torch.long, device=leaf.device)
    last = said.new_full((rows, 1), BOS)
    score, done, state = leaf.new_zeros(rows, 1), last == EOS, begin
    for position in range(longest):
        logs, state = step(state, last, position)
        vocabulary = torch.arange(logs.shape[-1], device=leaf.device)
        barred = torch.isin(vocabulary, torch.tensor(never, device=leaf.device)) if len(never) else vocabulary < 0
        if position == longest - 1:
            barred = vocabulary != EOS
        logs = torch.where(barred, -torch.inf, logs)
        # A sentence that has ended goes on with padding, at no cost.
        logs = torch.where(done[..., None], torch.where(vocabulary == PAD, 0.0, -torch.inf), logs)
        beams = min(width, logs.shape[-1] * logs.shape[-2])
        score, best = (score[..., None] + logs).flatten(-2).topk(beams, -1)
        of, last = best // logs.shape[-1], best % logs.shape[-1]
        said = torch.cat([_taken(said, of), last[..., None]], -1)
        done = _taken(done, of) | (last == EOS)
        state = tree_map(lambda t, of=of: _taken(t, of), state)
        if not transformed() and bool(done.all()):
            break
    length = ((said != PAD) & (said != EOS)).sum(-1) + 1
    best = (score / length**LENGTH).argmax(-1, keepdim=True)
    found = _taken(said, best).squeeze(1)
    found = torch.where(found == EOS, PAD, found)
    return torch.cat([found, found.new_full((rows, longest - found.shape[-1]), PAD)], -1)


def _taken(tree: Tensor, of: Tensor) -> Tensor:
    """The beams `of` `[rows, beams]` of a tensor `[rows, beams before, …]`."""
    index = of.reshape(of.shape + (1,) * (tree.dim() - 2)).expand(*of.shape, *tree.shape[2:])
    return tree.gather(1, index)
