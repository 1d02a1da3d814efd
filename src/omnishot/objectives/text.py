"""The base of the objectives whose answer is a text: captions, generated answers, transcripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from omnishot.core.options import keywords
from omnishot.episodes.clusters import text_clusters
from omnishot.episodes.rows import Rows, target_of
from omnishot.episodes.words import OwnWords
from omnishot.errors import UsageError, choose
from omnishot.nn.decoders import DECODERS
from omnishot.nn.decoders.tokens import UNKNOWN
from omnishot.nn.heads import Head
from omnishot.nn.network import TOKEN, Network
from omnishot.objectives.base import Objective
from omnishot.objectives.targets import TableTarget, TaskTarget
from omnishot.objectives.vocabulary import UNITS, Vocabulary, shared_tokens
from omnishot.table.table import Table
from omnishot.table.targets import OF_ROWS, TEXT

#: The option that holds options of the decoder.
NESTED = "decoder_options"


class TextEpisode(NamedTuple):
    """The texts of one task's query rows."""

    #: What the decoder wrote, `[rows]`.
    written: list[str]
    #: What people wrote, of each row one text or several.
    references: list[list[str]]
    #: The task's own words.
    own_words: list[str]


class TextObjective(Objective):
    """A text a row, written by a decoder.

    The target is int64 `[rows, sentences, longest]`: token numbers of each of a row's texts, ended and padded. Tokens
    that all tasks share come from the training rows; words that a single task uses, such as the name of something
    new, are learned with it (`omnishot.nn.decoders.base.Decoder`).

    Args:
        tokens: the shared ones.
        unit: what a token is, `word` or `character`; None: the objective's default, as for all options below.
        decoder: by name, see `omnishot list decoders`.
        decoder_options: of the decoder.
        longest: tokens of a text, with the one that ends it; longer texts are cut off.
        own_words: how many words of its own a task may have.
        beam: width of the beam search; 1 is greedy.
        min_tasks: how many training tasks (or groups) must use a token for it to be shared.
    """

    gives = "a text"
    target_form = TEXT
    tasks_of = OF_ROWS
    defaults = MappingProxyType({"learner": "maml", "level": TOKEN})
    writes_texts = True
    # Defaults of the options:
    unit: str = "word"
    decoder: str = "transformer"
    longest: int = 24
    own_words: int = 8
    #: Whether a task keeps the texts of its support rows, to choose among them.
    keeps_texts: ClassVar[bool] = False

    def __init__(
        self,
        tokens: Sequence[str] = (),
        *,
        unit: str | None = None,
        decoder: str | None = None,
        decoder_options: Mapping[str, Any] | None = None,
        longest: int | None = None,
        own_words: int | None = None,
        beam: int = 3,
        min_tasks: int = 2,
    ):
        self.vocabulary = Vocabulary(tuple(tokens), choose("unit", unit or self.unit, UNITS))
        self.decoder, self.decoder_options = decoder or self.decoder, dict(decoder_options or {})
        self.longest = self.longest if longest is None else longest
        self.own_words = self.own_words if own_words is None else own_words
        self.beam, self.min_tasks = beam, min_tasks
        for name, least in (("longest", 2), ("own_words", 0), ("beam", 1), ("min_tasks", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, not {getattr(self, name)}")
        DECODERS.check_options(self.decoder, self.decoder_options)

    @classmethod
    def read_options(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options of this objective; those of its decoder, in `decoder_options` or beside the others."""
        own = {name: kind for name, kind in cls.options().items() if name != NESTED}
        flat = {**given.get(NESTED, {}), **{name: value for name, value in given.items() if name != NESTED}}
        options = keywords(DECODERS.load(flat.get("decoder") or cls.decoder))
        values = cls.typed_options(flat, {**options, **own})
        nested = {name: value for name, value in values.items() if name not in own}
        return {name: value for name, value in values.items() if name in own} | ({NESTED: nested} if nested else {})

    # -- texts and tokens --------------------------------------------------------------------------------

    def group_rows(self, table: Table, parts: np.ndarray, seed: int) -> np.ndarray:
        return text_clusters(table.texts, parts, seed)

    def fit_table(self, table: Table, training: np.ndarray, tasks: np.ndarray | None) -> Self:
        rows = np.flatnonzero(training)
        of_rows = np.zeros(len(rows), np.int64) if tasks is None else tasks[rows]
        return self.fit_texts([table.texts[row] for row in rows], of_rows)

    def fit_texts(self, rows: Sequence[Sequence[str]], tasks: np.ndarray) -> Self:
        """This objective with the tokens that the texts of training rows of several `tasks` `[rows]` share."""
        tokens = shared_tokens(rows, tasks, self.vocabulary.unit, self.min_tasks)
        return type(self)(**{**self.settings(), "tokens": tokens})

    def encode_table(self, table: Table) -> TableTarget:
        tokens, words = self.encode(table.texts)
        return TableTarget(tokens, self.numbering, words)

    def encode_task(self, table: Table) -> TaskTarget:
        tokens, words = self.encode(table.texts)
        own = self.numbering.of(tokens)
        numbered = torch.from_numpy(self.numbering.renumbered(tokens, own))
        return TaskTarget(numbered, words=tuple(words[number - self.numbering.first] for number in own))

    def own_words_of(self, target: np.ndarray | None, support: np.ndarray, words: Sequence[str]) -> tuple[str, ...]:
        if target is None:
            return ()
        return tuple(words[number - self.numbering.first] for number in self.numbering.of(target[support]))

    def encode(self, rows: Sequence[Sequence[str]]) -> tuple[np.ndarray, tuple[str, ...]]:
        """Texts as numbers `[rows, sentences, longest]`, and the words that are not shared (`Vocabulary.encode`)."""
        return self.vocabulary.encode(rows, self.longest)

    @property
    def numbering(self) -> OwnWords:
        """How a task's own words are numbered."""
        return OwnWords(len(self.vocabulary), self.own_words, UNKNOWN)

    def texts(self, tokens: np.ndarray, own: Sequence[str] = ()) -> list[str]:
        """The text of each row of tokens `[rows, longest]`."""
        return [self.vocabulary.decode(row, own) for row in tokens]

    def text_episode(self, tokens: np.ndarray, target: np.ndarray) -> TextEpisode:
        """Predicted tokens `[rows, longest]` and the rows' texts `[rows, sentences, longest]`, as text."""
        references = [[self.vocabulary.decode(text) for text in row if text.any()] for row in target]
        own = [self.vocabulary.name(t) for t in np.unique(target[target >= len(self.vocabulary)])]
        return TextEpisode(self.texts(tokens), references, own)

    # -- the objective -----------------------------------------------------------------------------------

    def outputs(self, ways: int | None) -> int:
        return len(self.vocabulary) + self.own_words

    def head(self, network: Network, kind: str, ways: int | None) -> Head:
        build = DECODERS.load(self.decoder)
        sizes = (len(self.vocabulary), self.own_words, self.longest)
        return build(network.out, *sizes, kind, self.keeps_texts, **self.decoder_options)

    def loss(self, prediction: Any, rows: Rows) -> Tensor:
        """Mean negative log-likelihood of a token of the rows' texts, given those before it."""
        return prediction.loss(target_of(rows))

    def metrics(self, prediction: Any, rows: Rows) -> dict[str, float]:
        return {"loss": self.loss(prediction, rows).item()}

    def compact(self, prediction: Any) -> Tensor:
        """The tokens of the most probable text that the search finds for each row, `[rows, longest]`."""
        return prediction.decode(self.beam, self.longest)

    def decode(self, compact: Tensor, names: Sequence[str]) -> np.ndarray:
        return np.array(self.texts(compact.cpu().numpy(), names), dtype=object)

    def aggregate(self, episodes: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        return self.figures([self.text_episode(*episode) for episode in episodes])

    def figures(self, episodes: Sequence[TextEpisode]) -> dict[str, tuple[float, float]]:
        """Figures of all episodes together, as (value, half-width of the 95% interval)."""
        raise NotImplementedError(f"{type(self).__name__}.figures")

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, **self.settings()}

    def settings(self) -> dict[str, Any]:
        """All options, as the constructor takes them."""
        return {
            "tokens": list(self.vocabulary.tokens),
            "unit": self.vocabulary.unit,
            "decoder": self.decoder,
            "decoder_options": self.decoder_options,
            "longest": self.longest,
            "own_words": self.own_words,
            "beam": self.beam,
            "min_tasks": self.min_tasks,
        }
