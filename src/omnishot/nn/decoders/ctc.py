"""Sentences written along a sequence, a token or nothing at every moment of it."""

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

#: The token that says nothing.
BLANK = PAD
#: The logarithm of what cannot be. Finite, so that no gradient becomes NaN.
NEVER = -1e6


class CTC(Head):
    """Scores every token at every slot of the memory; a sentence is as likely as all ways to write it along them.

    The slots must be moments in time, of a sound, a video or a series, and at least as many as the sentence has tokens
    (and one between two that are alike): a sentence for which they do not suffice has no finite loss and is left out.
    Words that only this task says cannot be learned: the tokens should be characters. One that the vocabulary lacks is
    learned as the unknown token, which is never written.

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
        new: int,
        longest: int,
        words: str = "prototype",
        *,
        layers: int = 1,
        heads: int = 4,
    ):
        super().__init__()
        if layers < 0:
            raise UsageError(f"a decoder of {layers} layers: use 0 or more")
        if new:
            raise UsageError(
                f"decoder 'ctc' learns no words of a task's own (own_words = {new}): say own_words=0 "
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
        """A moment a token, and one between two that are alike."""
        tokens = torch.where(target == EOS, PAD, target)
        alike = (tokens[..., 1:] == tokens[..., :-1]) & (tokens[..., 1:] != PAD)
        return (tokens != PAD).sum(-1) + alike.sum(-1)

    def predict(self, task: dict[str, Any], features: Memory) -> Aligned:
        memory, present = (t[:, 1:] for t in features)  # its first slot is no moment
        return Aligned(call_with(self, task, memory, present), present)

    def forward(self, memory: Tensor, present: Tensor) -> Tensor:
        """Log-probabilities `[rows, moments, vocabulary]`."""
        here = present | ~present.any(-1, keepdim=True)  # attention over nothing has no answer
        for block in self.blocks:
            memory = block(memory, here)
        scores = self.scores(self.norm(memory))
        token = torch.arange(scores.shape[-1], device=scores.device)
        return torch.where((token == BOS) | (token == EOS), NEVER, scores).log_softmax(-1)


@dataclass
class Aligned:
    """Log-probabilities `[rows, moments, vocabulary]` of every token at every moment, and which moments there are."""

    logs: Tensor
    present: Tensor

    def log_likelihood(self, target: Tensor) -> Tensor:
        """Of each sentence of `target` `[rows, sentences, L]`: `[rows, sentences]`, about NEVER if it cannot be.

        The forward algorithm over a blank before, between and after the tokens (Graves et al. 2006, §4.1), in logs and
        from differentiable operations, so that it may be differentiated twice.
        """
        tokens = torch.where(target == EOS, PAD, target)
        length = (tokens != PAD).sum(-1)
        path = torch.stack([torch.full_like(tokens, BLANK), tokens], -1).flatten(-2)
        path = torch.cat([path, torch.full_like(path[..., :1], BLANK)], -1)  # [rows, sentences, 2 L + 1]
        states = torch.arange(path.shape[-1], device=path.device)
        before = torch.cat([torch.full_like(path[..., :2], BLANK), path[..., :-2]], -1)
        skips = (path != BLANK) & (path != before)  # two different tokens need no blank between them
        logs = self.logs.unsqueeze(1).expand(*path.shape[:2], *self.logs.shape[-2:])
        emitted = logs.gather(-1, path.unsqueeze(-2).expand(*logs.shape[:-1], path.shape[-1]))  # [R, S, T, 2 L + 1]
        # Before the first moment it stands at the blank before the first token.
        alpha = torch.where(states == 0, 0.0, NEVER).to(logs.dtype).expand(path.shape)
        for t in range(self.logs.shape[-2]):
            stay = alpha
            step = torch.cat([torch.full_like(alpha[..., :1], NEVER), alpha[..., :-1]], -1)
            skip = torch.cat([torch.full_like(alpha[..., :2], NEVER), alpha[..., :-2]], -1)
            ways = torch.stack([stay, step, torch.where(skips, skip, NEVER)], -1)
            alpha = torch.where(self.present[:, None, None, t], ways.logsumexp(-1) + emitted[..., t, :], alpha)
        # It ends with the last token or with the blank after it; a sentence of no token with the one blank.
        ends = (states == 2 * length[..., None]) | (states == 2 * length[..., None] - 1)
        return torch.where(ends, alpha, NEVER).logsumexp(-1)

    def loss(self, target: Tensor) -> Tensor:
        """Mean negative log-likelihood a token of the sentences `target` `[rows, sentences, L]` that can be written."""
        likelihood = self.log_likelihood(target)
        counted = (target != PAD).any(-1) & (likelihood > NEVER / 2)
        tokens = mask(((target != PAD) & (target != EOS)).sum(-1), counted).sum()
        return -mask(likelihood, counted).sum() / tokens.clamp(min=1)

    def decode(self, width: int, longest: int) -> Tensor:
        """The likeliest writing of every row: int64 `[rows, longest]`, padded.

        With `width` 1 the likeliest token of every moment, otherwise a prefix beam search (Graves 2012, Sequence
        Transduction; Hannun et al. 2014), which adds up the ways to write the same sentence.
        """
        token = torch.arange(self.logs.shape[-1], device=self.logs.device)
        sayable = torch.where(token == UNKNOWN, -torch.inf, self.logs)
        found = [_greedy(logs) if width == 1 else _prefixes(logs, width)
                 for logs in (row[here].cpu() for row, here in zip(sayable, self.present, strict=True))]  # fmt: skip
        said = torch.full((len(found), longest), PAD, dtype=torch.long)
        for row, tokens in enumerate(found):
            said[row, : len(tokens[:longest])] = torch.tensor(tokens[:longest], dtype=torch.long)
        return said.to(self.logs.device)


def _greedy(logs: Tensor) -> list[int]:
    """The likeliest token of every moment `[moments, vocabulary]`, repetitions as one, blanks left out."""
    best = logs.argmax(-1).tolist()
    return [token for token, before in zip(best, [BLANK, *best], strict=False) if token not in (BLANK, before)]


def _prefixes(probabilities: Tensor, width: int) -> list[int]:
    """The likeliest sentence of log-probabilities `[moments, vocabulary]`, by `_greedy`'s rules over all ways to write
    it, keeping `width` beginnings."""
    # By sentence the logs of all ways to have written it so far: those with a blank last, and the others.
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for moment in probabilities:
        likely = moment.topk(min(width + 1, len(moment)))
        found: dict[tuple[int, ...], list[float]] = {}
        for said, (blank, token) in beams.items():
            whole = np.logaddexp(blank, token)
            for log, now in zip(likely.values.tolist(), likely.indices.tolist(), strict=True):
                if now == BLANK:
                    _add(found, said, 0, whole + log)
                elif said and now == said[-1]:
                    _add(found, said, 1, token + log)
                    _add(found, (*said, now), 1, blank + log)
                else:
                    _add(found, (*said, now), 1, whole + log)
        best = sorted(found.items(), key=lambda item: -np.logaddexp(item[1][0], item[1][1]))[:width]
        beams = {said: (logs[0], logs[1]) for said, logs in best}
    return list(max(beams.items(), key=lambda item: float(np.logaddexp(*item[1])))[0])


def _add(found: dict[tuple[int, ...], list[float]], said: tuple[int, ...], last: int, log: float) -> None:
    logs = found.setdefault(said, [-math.inf, -math.inf])
    logs[last] = np.logaddexp(logs[last], log)
