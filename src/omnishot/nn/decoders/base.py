"""What every decoder is that says one token after another.

Shape notation: rows R, sentences a row S, tokens a sentence L, slots of the memory M, vocabulary V, new words N.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import choose
from omnishot.nn.calling import call_with
from omnishot.nn.decoders.search import beam_search
from omnishot.nn.decoders.tokens import BOS, EOS, PAD, UNKNOWN
from omnishot.nn.heads import Head
from omnishot.nn.layers import LayerNorm, mask
from omnishot.nn.linear import Linear

#: What a network gives a decoder to look at: `[R, M, dim]`, and which of its slots are there, bool `[R, M]`.
Memory = tuple[Tensor, Tensor]
#: Added to the score of a word that cannot be said. Finite, so that no gradient becomes NaN.
NEVER = -1e4


class Decoder(Head):
    """Says a sentence token by token, looking at the network's memory before each.

    A word of the vocabulary has one vector, which is both what it looks like when it has been said and what the
    decoder's state is compared with to say it (Press & Wolf, Using the Output Embedding, EACL 2017). A word that only
    this task's support rows say has a vector of its own, `words` `[N, dim]`, which begins at the mean of the states in
    which the support rows say it, through a learned linear map: a class mean, as in a prototypical network (Snell et
    al. 2017), a class being "now comes this word". With `words="fixed"` it begins at a learned vector, the same for
    all new words.

    Task parameters are all of the decoder's, `words`, and `unsaid` `[N]`, which keeps those from being said that no
    support row has said.

    Args:
        dim: width of the memory's slots.
        vocabulary: tokens that all tasks share, the special ones with them.
        new: how many words of its own a task may have.
        words: where their vectors begin: `prototype` or `fixed`.
    """

    reads = "memory"

    def __init__(self, dim: int, vocabulary: int, new: int, words: str = "prototype"):
        super().__init__()
        self.vocabulary, self.new, self.words = vocabulary, new, choose("head", words, ("prototype", "fixed"))
        #: Whether a task keeps the texts of its support rows, to choose among them (`Spoken.choose`).
        self.keeps = False
        self.embedding = nn.Parameter(torch.randn(vocabulary, dim) * dim**-0.5)
        self.fresh = nn.Parameter(torch.randn(dim) * dim**-0.5)
        self.norm = LayerNorm(dim)
        if words == "prototype":
            self.prototype = Linear(dim, dim, bias=False)
            nn.init.eye_(self.prototype.weight)
            with torch.no_grad():
                self.prototype.weight *= dim**-0.5

    # -- what a decoder writes ---------------------------------------------------------------------------

    def look(self, memory: Tensor, present: Tensor) -> Any:
        """What every step needs of the memory, a tree of `[R, 1, …]`."""
        raise NotImplementedError

    def begin(self, looked: Any) -> Any:
        """The state before the first token, a tree of `[R, 1, …]`."""
        raise NotImplementedError

    def step(self, looked: Any, state: Any, said: Tensor, position: int) -> tuple[Tensor, Any]:
        """What comes after the vectors `[R, S, dim]` of the tokens just said: `[R, S, dim]`, and the next state."""
        raise NotImplementedError

    def states(self, looked: Any, said: Tensor) -> Tensor:
        """What comes after each of the vectors `[R, S, L, dim]` of sentences: `[R, S, L, dim]`."""
        state, found = self.begin(looked), []
        for position, x in enumerate(said.unbind(-2)):
            h, state = self.step(looked, state, x, position)
            found.append(h)
        return torch.stack(found, -2)

    # -- what follows ------------------------------------------------------------------------------------

    def told(self, memory: Tensor, present: Tensor, words: Tensor, target: Tensor) -> Tensor:
        """The normalised states `[R, S, L, dim]` in which each token of `target` `[R, S, L]` is to be said."""
        before = torch.cat([torch.full_like(target[..., :1], BOS), target[..., :-1]], -1)
        return self.norm(self.states(self.look(memory, present), self.vectors(words, before)))

    def vectors(self, words: Tensor, tokens: Tensor) -> Tensor:
        """The vectors of tokens as they look once said, at unit spread."""
        return F.embedding(tokens, torch.cat([self.embedding, words])) * self.embedding.shape[-1] ** 0.5

    def scores(self, words: Tensor, unsaid: Tensor, states: Tensor) -> Tensor:
        """How well each token fits normalised states, `[…, dim] -> […, V + N]`."""
        return torch.cat([states @ self.embedding.mT, states @ words.mT + unsaid], -1)

    def say(self, words: Tensor, unsaid: Tensor, memory: Tensor, present: Tensor, width: int, longest: int) -> Tensor:
        """The likeliest sentence of every row that a search keeping `width` beginnings finds: int64 `[R, longest]`."""
        looked = self.look(memory, present)
        seen = torch.cat([self.embedding, words]) * self.embedding.shape[-1] ** 0.5  # once, not at every token

        def step(state: Any, tokens: Tensor, position: int) -> tuple[Tensor, Any]:
            h, state = self.step(looked, state, F.embedding(tokens, seen), position)
            return self.scores(words, unsaid, self.norm(h)).log_softmax(-1), state

        return beam_search(self.begin(looked), step, width, longest, (PAD, BOS, UNKNOWN))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        moved = {name: tuple(p.shape) for name, p in self.named_parameters() if not name.startswith(_START)}
        return moved | {"words": (self.embedding.shape[-1],)} if self.new else moved

    def start(self, own: dict[str, Tensor], features: Callable[[], Any], support: Rows) -> dict[str, Tensor]:
        assert support.target is not None
        fresh = own["fresh"].expand(self.new, -1)
        said = support.target.unsqueeze(-1) == self.vocabulary + torch.arange(self.new, device=fresh.device)
        counts = said.flatten(0, -2).sum(0)  # [N]
        words = fresh
        if self.words == "prototype" and self.new:
            states = call_with(self, own, *features(), fresh, support.target, method="told")
            sums = said.flatten(0, -2).to(states.dtype).mT @ states.flatten(0, -2)
            words = call_with(self.prototype, {"weight": own["prototype.weight"]}, sums / counts.clamp(min=1)[:, None])
        words = mask(words, counts > 0)
        kept = {"texts": support.target.flatten(0, -2)} if self.keeps else {}
        return own | kept | {"words": words, "unsaid": torch.where(counts > 0, 0.0, NEVER).to(words.dtype)}

    def initial_params(self, own: dict[str, Tensor], ways: int | None) -> dict[str, Tensor]:
        """With no word of the task's own, for none has been said."""
        words = torch.zeros_like(own["fresh"]).expand(self.new, -1)
        return own | {"words": words, "unsaid": torch.full_like(words[:, 0], NEVER)}

    def predict(self, task: dict[str, Any], features: Memory) -> Spoken:
        return Spoken(self, task, *features)


#: Parameters that only say where a task starts.
_START = ("fresh", "prototype")


@dataclass
class Spoken:
    """What a decoder would say of rows: a distribution over sentences for each."""

    decoder: Decoder
    task: dict[str, Any]
    memory: Tensor
    present: Tensor

    def scores(self, target: Tensor) -> Tensor:
        """The logits `[R, S, L, V + N]` of every token of the sentences `target` `[R, S, L]` after those before it."""
        states = self._call("told", self.memory, self.present, self.task["words"], target)
        return self._call("scores", self.task["words"], self.task["unsaid"], states)

    def loss(self, target: Tensor) -> Tensor:
        """Mean negative log-likelihood of the tokens of `target` `[R, S, L]`, the end with them, padding without."""
        return -self.log_likelihood(target).sum() / (target != PAD).sum().clamp(min=1)

    def log_likelihood(self, target: Tensor) -> Tensor:
        """Of each sentence of `target` `[R, S, L]`: `[R, S]`."""
        logs = self.scores(target).log_softmax(-1)
        return mask(logs.gather(-1, target.unsqueeze(-1)).squeeze(-1), target != PAD).sum(-1)

    def accuracy(self, target: Tensor) -> Tensor:
        """The share of tokens, padding not counted, that are the likeliest after those before them."""
        right = (self.scores(target).argmax(-1) == target) & (target != PAD)
        return right.sum() / (target != PAD).sum().clamp(min=1)

    def choose(self, longest: int) -> Tensor:
        """Of the texts of the support rows the likeliest for every row: int64 `[R, longest]`, padded."""
        texts = self.task["texts"]
        logs = self.log_likelihood(texts.expand(len(self.memory), *texts.shape))
        best = torch.where((texts != PAD).any(-1), logs, -torch.inf).argmax(-1)
        found = texts.index_select(0, best)
        return F.pad(torch.where(found == EOS, PAD, found), (0, longest - found.shape[-1]), value=PAD)

    def decode(self, width: int, longest: int) -> Tensor:
        """The likeliest sentence of every row by beam search: int64 `[R, longest]`, padded."""
        return self._call("say", self.task["words"], self.task["unsaid"], self.memory, self.present, width, longest)

    def _call(self, method: str, *args: Any) -> Any:
        own = {name: self.task[name] for name, _ in self.decoder.named_parameters()}
        return call_with(self.decoder, own, *args, method=method)
