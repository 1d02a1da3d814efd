"""Texts: subword tokens of a small vocabulary learned from the training texts."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from omnishot.errors import UsageError
from omnishot.modality.base import CellError, Values, random_like
from omnishot.table.table import cell_name

PAD, UNKNOWN = 0, 1
LONGEST = 64  # default number of tokens that a text is cut to
_CONTAINERS = (bytes, bytearray, memoryview, np.ndarray, list, tuple, dict, set)
_CHUNK = 100_000  # texts encoded at a time: bounds the memory


@dataclass(frozen=True)
class Text(Values):
    """Texts as token ids, padded at the end with `PAD`.

    The tokeniser is byte-level byte-pair encoding (Sennrich et al. 2016, section 3.2; over bytes as in Radford et
    al. 2019, section 2.2): a word that does not occur in training is split into known pieces, at worst its bytes, so
    that `UNKNOWN` does not occur. Case and character widths are folded (NFKC), and runs of blanks are one blank.

    Args:
        tokenizer: in the JSON of the `tokenizers` library.
        max_tokens: number of tokens that a text is cut or padded to.
        vocabulary: number of token ids, `PAD` and `UNKNOWN` included.
    """

    tokenizer: str
    max_tokens: int
    vocabulary: int

    kind = "text"
    dtype = np.int32

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.max_tokens,)

    @classmethod
    def fit(cls, cells: Sequence[Any], *, max_tokens: int | None = None, vocabulary: int = 4096) -> Text:
        """Learn a vocabulary from training texts.

        Args:
            cells: texts; missing and bad ones are left out.
            max_tokens: default: the 99th percentile of the texts' lengths, at most 64.
            vocabulary: largest number of token ids; 258 are needed for single bytes, padding and unknown.

        Raises:
            CellError: if there is no text.
            UsageError: for numbers that no tokeniser can have.
        """
        if vocabulary < 258:
            raise UsageError(f"vocabulary = {vocabulary} for texts: give 258 or more")
        if max_tokens is not None and max_tokens < 1:
            raise UsageError(f"max_tokens = {max_tokens} for texts: give 1 or more")
        texts = [text for text in map(_text, cells) if text]
        if not texts:
            raise CellError("no text in it")
        tokenizer = _train(texts, vocabulary)
        if max_tokens is None:
            lengths = [len(ids) for ids in _token_ids(tokenizer, texts)]
            max_tokens = min(max(1, int(np.percentile(lengths, 99, method="higher"))), LONGEST)
        return cls(tokenizer.to_str(), max_tokens, tokenizer.get_vocab_size())

    def decode_columns(self, columns: Mapping[str, Sequence[Any]]) -> tuple[np.ndarray, list[tuple[int, str, str]]]:
        """One column of texts -> int32 `[n, max_tokens]`; cells of other types, such as bytes and arrays, are bad."""
        ((column, values),) = columns.items()
        cells = values.tolist() if isinstance(values, pd.Series | np.ndarray) else list(values)
        texts = [_text(cell) for cell in cells]
        bad = [
            (row, column, f"{type(cells[row]).__name__} instead of text")
            for row, text in enumerate(texts)
            if text is None
        ]
        return self._encode([text or "" for text in texts]), bad

    def present(self, stored: np.ndarray) -> np.ndarray:
        """True where there is at least one token."""
        return stored[:, 0] != PAD

    def normalise(self, stored: Tensor) -> Tensor:
        """int32 `[..., max_tokens]` -> the same ids as int64."""
        return stored.long()

    def _corrupt(self, stored: Tensor, level: float | Tensor, generator: torch.Generator) -> Tensor:
        """Replace each token by a random one with probability `level`.

        The length also moves by `level` towards a random one, since texts could be told apart by it.
        """
        length = (stored != PAD).sum(-1, keepdim=True)
        draw = random_like(torch.rand, length.shape, generator, stored)
        kept_length = torch.round((1 - level) * length + level * (1 + (self.max_tokens - 1) * draw))
        tokens = torch.randint(UNKNOWN + 1, self.vocabulary, stored.shape, generator=generator, device=generator.device)
        replaced = (random_like(torch.rand, stored.shape, generator, stored) < level) | (stored == PAD)
        position = torch.arange(self.max_tokens, device=stored.device)
        noisy = torch.where(replaced, tokens.to(stored), stored)
        return torch.where(position < kept_length, noisy, torch.full_like(stored, PAD))

    def picture(self, stored: np.ndarray) -> str:
        """The text of the tokens that were kept."""
        return self._tokenizer.decode([int(token) for token in stored if token != PAD]).strip()

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_str(self.tokenizer)
        tokenizer.encode_special_tokens = True  # a user's "[pad]" is five characters, not the padding
        return tokenizer

    def _encode(self, texts: list[str]) -> np.ndarray:
        """Texts -> int32 `[n, max_tokens]`."""
        stored = np.full((len(texts), self.max_tokens), PAD, np.int32)
        for start in range(0, len(texts), _CHUNK):
            ids = _token_ids(self._tokenizer, texts[start : start + _CHUNK], self.max_tokens)
            lengths = np.fromiter(map(len, ids), np.int64, len(ids))
            flat = np.fromiter(itertools.chain.from_iterable(ids), np.int32, int(lengths.sum()))
            stored[start : start + _CHUNK][np.arange(self.max_tokens) < lengths[:, None]] = flat
        return stored


def _text(cell: Any) -> str | None:
    """The text in lower case with single blanks, "" if missing, None if it is no text (numbers and dates are accepted).

    Of a list of texts, the first.
    """
    if isinstance(cell, list) and cell and isinstance(cell[0], str):
        cell = cell[0]
    if isinstance(cell, _CONTAINERS):
        return None
    if not isinstance(cell, str):
        cell = "" if pd.isna(cell) else cell_name(cell)
    if not cell.isascii():
        # The tokeniser refuses a lone surrogate (from badly decoded bytes).
        cell = unicodedata.normalize("NFKC", cell.encode("utf-8", "replace").decode())
    return " ".join(cell.lower().split())


def _token_ids(tokenizer: Tokenizer, texts: list[str], most: int | None = None) -> list[list[int]]:
    """Token ids by text, at most `most` each. Each distinct word is tokenised once, which is about ten times faster."""
    words = [text.split(" ") if text else [] for text in texts]
    distinct = list(set(itertools.chain.from_iterable(words)))
    encoded = tokenizer.encode_batch_fast(distinct)
    ids = {word: encoding.ids for word, encoding in zip(distinct, encoded, strict=True)}
    return [list(itertools.chain.from_iterable(map(ids.__getitem__, text)))[:most] for text in words]


def _train(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="[unk]"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["[pad]", "[unk]"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
