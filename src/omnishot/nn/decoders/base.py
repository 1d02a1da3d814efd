"""The base of autoregressive decoders, which generate a text one token after another.

Shape notation: rows R, texts per row S, tokens per text L, tokens of the memory M, vocabulary V, new words N.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.episodes.rows import Rows, target_of
from omnishot.errors import choose
from omnishot.nn.calling import call_with
from omnishot.nn.decoders.search import beam_search
from omnishot.nn.decoders.tokens import BOS, EOS, PAD, UNKNOWN
from omnishot.nn.heads import Head
from omnishot.nn.layers import LayerNorm, mask
from omnishot.nn.linear import Linear

#: What a decoder attends to (`Network.memory`): `[R, M, dim]`, and which of its tokens are present, bool `[R, M]`.
Memory = tuple[Tensor, Tensor]
#: Added to the logit of an impossible word. Finite, so that no gradient becomes NaN.
LOG_ZERO = -1e4


class Decoder(Head):
    """An autoregressive decoder that attends to the network's memory.

    A word of the vocabulary has one vector, used both as its input embedding and as its output weight (Press & Wolf,
    Using the Output Embedding, EACL 2017). A new word, which occurs in the support rows of this task but not in the
    vocabulary, has a vector in `words` `[N, dim]`. It is initialised from the mean of the decoder's states at the
    positions where the support rows have that word, by a learned linear map: a class mean as in a prototypical network
    (Snell et al. 2017), where the class is the next word. With `initial="linear"` it is initialised to a learned
    vector, the same for all new words.

    Task parameters are all of the decoder's own, `words`, and `word_bias` `[N]`, which excludes the new words that no
    support row has.

    Args:
        dim: width of the memory.
        vocabulary: number of tokens that all tasks share, the special ones included.
        new_words: how many new words a task may have.
        initial: of the vectors of new words, `prototype` or `linear`.
        keep_texts: whether a task keeps the texts of its support rows, for `TextDistribution.likeliest_support_text`.
    """

    reads = "memory"

    def __init__(self, dim: int, vocabulary: int, new_words: int, initial: str = "prototype", keep_texts: bool = False):
        super().__init__()
        self.vocabulary, self.new_words = vocabulary, new_words
        self.initial, self.keep_texts = choose("head", initial, ("prototype", "linear")), keep_texts
        self.embedding = nn.Parameter(torch.randn(vocabulary, dim) * dim**-0.5)
        self.new_word = nn.Parameter(torch.randn(dim) * dim**-0.5)
        self.norm = LayerNorm(dim)
        if initial == "prototype":
            self.prototype = Linear(dim, dim, bias=False)
            nn.init.eye_(self.prototype.weight)
            with torch.no_grad():
                self.prototype.weight *= dim**-0.5

    # -- what a subclass defines -------------------------------------------------------------------------

    def project_memory(self, memory: Tensor, present: Tensor) -> Any:
        """The parts of the memory that every step needs (keys and values), a tree of `[R, 1, …]`."""
        raise NotImplementedError

    def initial_state(self, projected: Any) -> Any:
        """The state before the first token, a tree of `[R, 1, …]`."""
        raise NotImplementedError

    def step(self, projected: Any, state: Any, x: Tensor, position: int) -> tuple[Tensor, Any]:
        """The hidden states `[R, S, dim]` after one more token, whose embeddings are `x` `[R, S, dim]`; and the new
        state."""
        raise NotImplementedError

    def hidden_states(self, projected: Any, x: Tensor) -> Tensor:
        """The hidden states `[R, S, L, dim]` after each token of whole texts with embeddings `x` `[R, S, L, dim]`."""
        state, hidden = self.initial_state(projected), []
        for position, embedded in enumerate(x.unbind(-2)):
            h, state = self.step(projected, state, embedded, position)
            hidden.append(h)
        return torch.stack(hidden, -2)

    # -- what follows from it ----------------------------------------------------------------------------

    def teacher_forcing(self, memory: Tensor, present: Tensor, words: Tensor, target: Tensor) -> Tensor:
        """The normalised hidden states `[R, S, L, dim]` before each token of `target` `[R, S, L]`.

        The tokens before it are those of the target (teacher forcing).
        """
        previous = torch.cat([torch.full_like(target[..., :1], BOS), target[..., :-1]], -1)
        return self.norm(self.hidden_states(self.project_memory(memory, present), self.embed(words, previous)))

    def embed(self, words: Tensor, tokens: Tensor) -> Tensor:
        """The input embeddings of tokens, scaled to unit variance."""
        return F.embedding(tokens, torch.cat([self.embedding, words])) * self.embedding.shape[-1] ** 0.5

    def logits(self, words: Tensor, word_bias: Tensor, hidden: Tensor) -> Tensor:
        """The logit of each token after normalised hidden states, `[…, dim] -> […, V + N]`."""
        return torch.cat([hidden @ self.embedding.mT, hidden @ words.mT + word_bias], -1)

    def search(
        self, words: Tensor, word_bias: Tensor, memory: Tensor, present: Tensor, width: int, longest: int
    ) -> Tensor:
        """The likeliest text of every row by beam search of this `width`: int64 `[R, longest]`."""
        projected = self.project_memory(memory, present)
        table = torch.cat([self.embedding, words]) * self.embedding.shape[-1] ** 0.5  # once, not at every token

        def step(state: Any, tokens: Tensor, position: int) -> tuple[Tensor, Any]:
            h, state = self.step(projected, state, F.embedding(tokens, table), position)
            return self.logits(words, word_bias, self.norm(h)).log_softmax(-1), state

        return beam_search(self.initial_state(projected), step, width, longest, (PAD, BOS, UNKNOWN))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        moved = {name: tuple(p.shape) for name, p in self.named_parameters() if not name.startswith(_INITIAL)}
        return moved | {"words": (self.embedding.shape[-1],)} if self.new_words else moved

    def start(self, own: dict[str, Tensor], features: Callable[[], Any], support: Rows) -> dict[str, Tensor]:
        target = target_of(support)
        words = own["new_word"].expand(self.new_words, -1)
        new = self.vocabulary + torch.arange(self.new_words, device=words.device)
        is_word = target.unsqueeze(-1) == new
        counts = is_word.flatten(0, -2).sum(0)  # [N]
        if self.initial == "prototype" and self.new_words:
            hidden = call_with(self, own, *features(), words, target, method="teacher_forcing")
            sums = is_word.flatten(0, -2).to(hidden.dtype).mT @ hidden.flatten(0, -2)
            words = call_with(self.prototype, {"weight": own["prototype.weight"]}, sums / counts.clamp(min=1)[:, None])
        words = mask(words, counts > 0)
        texts = {"texts": target.flatten(0, -2)} if self.keep_texts else {}
        return own | texts | {"words": words, "word_bias": torch.where(counts > 0, 0.0, LOG_ZERO).to(words.dtype)}

    def initial_params(self, own: dict[str, Tensor], ways: int | None) -> dict[str, Tensor]:
        """Without new words, since there are no support rows to have any."""
        words = torch.zeros_like(own["new_word"]).expand(self.new_words, -1)
        return own | {"words": words, "word_bias": torch.full_like(words[:, 0], LOG_ZERO)}

    def predict(self, task: dict[str, Any], features: Memory) -> TextDistribution:
        return TextDistribution(self, task, *features)


#: Parameters that only initialise the task parameters.
_INITIAL = ("new_word", "prototype")


@dataclass
class TextDistribution:
    """The distribution over texts that a decoder gives for each row."""

    decoder: Decoder
    task: dict[str, Any]
    memory: Tensor
    present: Tensor

    def logits(self, target: Tensor) -> Tensor:
        """The logits `[R, S, L, V + N]` at every token of the texts `target` `[R, S, L]`, given those before it."""
        hidden = self._call("teacher_forcing", self.memory, self.present, self.task["words"], target)
        return self._call("logits", self.task["words"], self.task["word_bias"], hidden)

    def loss(self, target: Tensor) -> Tensor:
        """Mean negative log-likelihood per token of `target` `[R, S, L]`, end tokens included, padding excluded."""
        return -self.log_likelihood(target).sum() / (target != PAD).sum().clamp(min=1)

    def log_likelihood(self, target: Tensor) -> Tensor:
        """The log-likelihood of each text of `target` `[R, S, L]`: `[R, S]`."""
        logs = self.logits(target).log_softmax(-1)
        return mask(logs.gather(-1, target.unsqueeze(-1)).squeeze(-1), target != PAD).sum(-1)

    def accuracy(self, target: Tensor) -> Tensor:
        """The fraction of tokens, padding excluded, that are the likeliest given the tokens before them."""
        correct = (self.logits(target).argmax(-1) == target) & (target != PAD)
        return correct.sum() / (target != PAD).sum().clamp(min=1)

    def likeliest_support_text(self, longest: int) -> Tensor:
        """For every row, the likeliest of the texts of the support rows: int64 `[R, longest]`, padded."""
        texts = self.task["texts"]
        logs = self.log_likelihood(texts.expand(len(self.memory), *texts.shape))
        best = torch.where((texts != PAD).any(-1), logs, -torch.inf).argmax(-1)
        tokens = texts.index_select(0, best)
        return F.pad(torch.where(tokens == EOS, PAD, tokens), (0, longest - tokens.shape[-1]), value=PAD)

    def decode(self, width: int, longest: int) -> Tensor:
        """The likeliest text of every row by beam search of this `width`: int64 `[R, longest]`, padded."""
        task = self.task
        return self._call("search", task["words"], task["word_bias"], self.memory, self.present, width, longest)

    def _call(self, method: str, *args: Any) -> Any:
        own = {name: self.task[name] for name, _ in self.decoder.named_parameters()}
        return call_with(self.decoder, own, *args, method=method)
