"""Texts by connectionist temporal classification (CTC): a token or a blank at every time step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.nn.calling import call_with
from omnishot.nn.decoders.base import Memory
from omnishot.nn.decoders.tokens import BOS, EOS, PAD, UNKNOWN
from omnishot.nn.heads import Head
from omnishot.nn.layers import LayerNorm, TransformerBlock, mask
from omnishot.nn.linear import Linear

#: The blank of CTC.
BLANK = PAD
#: The logarithm of an impossible event's probability. Finite, so that no gradient becomes NaN.
LOG_ZERO = -1e6


class CTC(Head):
    """A distribution over the tokens at every time step; a text has the total probability of all its alignments.

    The tokens of the memory must be time steps of a sound, a video or a series, and at least as many as the text has
    tokens (and one between two equal tokens): a text that is longer has no finite loss and is left out. New words,
    which only one task has, cannot be learned: the tokens should be characters. A character that the vocabulary lacks
    is learned as the unknown token, which is never generated.

    Args:
        layers: transformer blocks over the memory before the scores.
        heads: of their attention.

    Paper: Graves et al., Connectionist Temporal Classification, ICML 2006
    """

    reads = "memory"

    def __init__(
        self,
        dim: int,
        vocabulary: int,
        new_words: int,
        longest: int,
        initial: str = "prototype",
        keep_texts: bool = False,
        *,
        layers: int = 1,
        heads: int = 4,
    ):
        super().__init__()
        if layers < 0:
            raise UsageError(f"a decoder of {layers} layers: use 0 or more")
        if keep_texts:
            raise UsageError("decoder 'ctc' writes along a sequence and answers no question: choose another")
        if new_words:
            raise UsageError(
                f"decoder 'ctc' learns no words of a task's own (own_words = {new_words}): say own_words=0 "
                "(--objective-options.own_words 0), or choose another decoder"
            )
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads) for _ in range(layers))
        self.norm = LayerNorm(dim)
        self.scores = Linear(dim, vocabulary)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(p.shape) for name, p in self.named_parameters()}

    def start(self, own: dict[str, Tensor], features: Callable[[], Any], support: Rows) -> dict[str, Tensor]:
        return own

    def initial_params(self, own: dict[str, Tensor], ways: int | None) -> dict[str, Tensor]:
        return own

    def needs(self, target: Tensor) -> Tensor:
        """One time step per token, and one between two equal tokens."""
        tokens = torch.where(target == EOS, PAD, target)
        repeated = (tokens[..., 1:] == tokens[..., :-1]) & (tokens[..., 1:] != PAD)
        return (tokens != PAD).sum(-1) + repeated.sum(-1)

    def predict(self, task: dict[str, Any], features: Memory) -> AlignedDistribution:
        memory, present = (t[:, 1:] for t in features)  # the first token of the memory is no time step
        return AlignedDistribution(call_with(self, task, memory, present), present)

    def forward(self, memory: Tensor, present: Tensor) -> Tensor:
        """Log-probabilities `[rows, time steps, vocabulary]`."""
        attended = present | ~present.any(-1, keepdim=True)  # attention over zero tokens is undefined
        for block in self.blocks:
            memory = block(memory, attended)
        scores = self.scores(self.norm(memory))
        token = torch.arange(scores.shape[-1], device=scores.device)
        return torch.where((token == BOS) | (token == EOS), LOG_ZERO, scores).log_softmax(-1)


@dataclass
class AlignedDistribution:
    """The distribution over texts of each row.

    Args:
        logs: log-probabilities of all tokens at every time step, `[rows, time steps, vocabulary]`.
        present: bool `[rows, time steps]`.
    """

    logs: Tensor
    present: Tensor

    def log_likelihood(self, target: Tensor) -> Tensor:
        """The log-likelihood `[rows, texts]` of each text of `target` `[rows, texts, L]`, about LOG_ZERO if impossible.

        The forward algorithm over a blank before, between and after the tokens (Graves et al. 2006, §4.1), in the log
        domain and with differentiable operations, so that it can be differentiated twice.
        """
        tokens = torch.where(target == EOS, PAD, target)
        length = (tokens != PAD).sum(-1)
        path = torch.stack([torch.full_like(tokens, BLANK), tokens], -1).flatten(-2)
        path = torch.cat([path, torch.full_like(path[..., :1], BLANK)], -1)  # [rows, texts, 2 L + 1]
        states = torch.arange(path.shape[-1], device=path.device)
        before = torch.cat([torch.full_like(path[..., :2], BLANK), path[..., :-2]], -1)
        skips = (path != BLANK) & (path != before)  # two different tokens need no blank between them
        logs = self.logs.unsqueeze(1).expand(*path.shape[:2], *self.logs.shape[-2:])
        emitted = logs.gather(-1, path.unsqueeze(-2).expand(*logs.shape[:-1], path.shape[-1]))  # [R, S, T, 2 L + 1]
        # Before the first time step the alignment is at the blank before the first token.
        alpha = torch.where(states == 0, 0.0, LOG_ZERO).to(logs.dtype).expand(path.shape)
        for t in range(self.logs.shape[-2]):
            stay = alpha
            step = torch.cat([torch.full_like(alpha[..., :1], LOG_ZERO), alpha[..., :-1]], -1)
            skip = torch.cat([torch.full_like(alpha[..., :2], LOG_ZERO), alpha[..., :-2]], -1)
            ways = torch.stack([stay, step, torch.where(skips, skip, LOG_ZERO)], -1)
            alpha = torch.where(self.present[:, None, None, t], ways.logsumexp(-1) + emitted[..., t, :], alpha)
        # It ends at the last token or at the blank after it; an empty text at its only blank.
        ends = (states == 2 * length[..., None]) | (states == 2 * length[..., None] - 1)
        return torch.where(ends, alpha, LOG_ZERO).logsumexp(-1)

    def loss(self, target: Tensor) -> Tensor:
        """Mean negative log-likelihood per token of those texts of `target` `[rows, texts, L]` that are possible."""
        likelihood = self.log_likelihood(target)
        counted = (target != PAD).any(-1) & (likelihood > LOG_ZERO / 2)
        tokens = mask(((target != PAD) & (target != EOS)).sum(-1), counted).sum()
        return -mask(likelihood, counted).sum() / tokens.clamp(min=1)

    def decode(self, width: int, longest: int) -> Tensor:
        """The likeliest text of every row: int64 `[rows, longest]`, padded.

        With `width` 1 the likeliest token of every time step, otherwise a prefix beam search (Graves 2012, Sequence
        Transduction; Hannun et al. 2014), which sums the probabilities of the alignments of one text.
        """
        token = torch.arange(self.logs.shape[-1], device=self.logs.device)
        allowed = torch.where(token == UNKNOWN, -torch.inf, self.logs)
        texts = torch.full((len(allowed), longest), PAD, dtype=torch.long)
        for row, (logs, present) in enumerate(zip(allowed, self.present, strict=True)):
            logs = logs[present].cpu()
            tokens = (_greedy(logs) if width == 1 else _prefix_search(logs, width))[:longest]
            texts[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
        return texts.to(self.logs.device)


def _greedy(logs: Tensor) -> list[int]:
    """The likeliest token of every time step `[time steps, vocabulary]`, repetitions merged and blanks removed."""
    best = logs.argmax(-1).tolist()
    return [token for token, before in zip(best, [BLANK, *best], strict=False) if token not in (BLANK, before)]


def _prefix_search(logs: Tensor, width: int) -> list[int]:
    """The likeliest text under log-probabilities `[time steps, vocabulary]`, summed over its alignments.

    `width` prefixes are kept at every time step.
    """
    # By prefix the log-probabilities of all its alignments so far: of those that end with a blank, and of the others.
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for at_step in logs:
        likely = at_step.topk(min(width + 1, len(at_step)))
        extended: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, token) in beams.items():
            whole = np.logaddexp(blank, token)
            for log, now in zip(likely.values.tolist(), likely.indices.tolist(), strict=True):
                if now == BLANK:
                    _add(extended, prefix, 0, whole + log)
                elif prefix and now == prefix[-1]:
                    _add(extended, prefix, 1, token + log)
                    _add(extended, (*prefix, now), 1, blank + log)
                else:
                    _add(extended, (*prefix, now), 1, whole + log)
        best = sorted(extended.items(), key=lambda item: -np.logaddexp(item[1][0], item[1][1]))[:width]
        beams = {prefix: (ends[0], ends[1]) for prefix, ends in best}
    return list(max(beams.items(), key=lambda item: float(np.logaddexp(*item[1])))[0])


def _add(prefixes: dict[tuple[int, ...], list[float]], prefix: tuple[int, ...], end: int, log: float) -> None:
    logs = prefixes.setdefault(prefix, [-math.inf, -math.inf])
    logs[end] = np.logaddexp(logs[end], log)
