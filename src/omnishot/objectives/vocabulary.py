"""Sentences to token numbers and back."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from omnishot.nn.decoders.tokens import EOS, PAD, SPECIAL, UNKNOWN

#: A word with its apostrophes and hyphens, or one mark.
WORD = re.compile(r"\w+(?:['’\-]\w+)*|[^\w\s]")


def words_of(text: str) -> list[str]:
    """The words and marks of a sentence, in lower case: the tokens of BLEU and other metrics."""
    return WORD.findall(_plain(text))


def characters_of(text: str) -> list[str]:
    """The characters of a sentence, in lower case; a run of blanks counts as one."""
    return list(" ".join(_plain(text).split()))


def _plain(text: str) -> str:
    """In lower case; a letter is one character with its accents, however it was written."""
    return unicodedata.normalize("NFC", text.lower())


#: By unit: how a sentence is split into tokens, what joins them again, and what stands for an unknown token: one
#: character where the unit is a character, or error rates would count several.
UNITS: dict[str, tuple[Callable[[str], list[str]], str, str]] = {
    "word": (words_of, " ", "⟨unknown⟩"),
    "character": (characters_of, "", "\N{REPLACEMENT CHARACTER}"),
}


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that all tasks share, numbered after the special ones.

    A task's own words, which only its rows use, are numbered after these (`omnishot.episodes.words`).
    """

    tokens: tuple[str, ...]
    unit: str = "word"

    def __len__(self) -> int:
        return len(SPECIAL) + len(self.tokens)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each token."""
        return {token: len(SPECIAL) + i for i, token in enumerate(self.tokens)}

    def split(self, text: str) -> list[str]:
        """A sentence's tokens."""
        return UNITS[self.unit][0](text)

    def plain(self, text: str) -> str:
        """A sentence as this vocabulary writes it."""
        return UNITS[self.unit][1].join(self.split(text))

    def encode(self, rows: Sequence[Sequence[str]], longest: int) -> tuple[np.ndarray, tuple[str, ...]]:
        """The sentences of every row as numbers, int32 `[rows, sentences, longest]`, and the words without a number.

        Those get the numbers from `len(self)` on, in the order in which they occur. A sentence is cut off to `longest`
        tokens, the last of which is EOS; shorter sentences, and rows with fewer sentences than others, are padded.
        """
        numbers, own = dict(self.numbers), list[str]()
        most = max((len(texts) for texts in rows), default=1)
        encoded = np.full((len(rows), max(most, 1), longest), PAD, dtype=np.int32)
        for row, texts in zip(encoded, rows, strict=True):
            for sentence, text in zip(row, texts, strict=False):
                tokens = self.split(text)[: longest - 1]
                for token in tokens:
                    if token not in numbers:
                        numbers[token] = len(self) + len(own)
                        own.append(token)
                sentence[: len(tokens) + 1] = [*(numbers[token] for token in tokens), EOS]
        return encoded, tuple(own)

    def decode(self, tokens: np.ndarray, own: Sequence[str] = ()) -> str:
        """A sentence `[longest]` as text; `own` are the task's own words. What has no name is written as ⟨3⟩."""
        return UNITS[self.unit][1].join(self.name(int(t), own) for t in tokens if t not in (PAD, EOS))

    def name(self, token: int, own: Sequence[str] = ()) -> str:
        """The token of a number."""
        place = token - len(SPECIAL)
        named = (*self.tokens, *own)
        return UNITS[self.unit][2] if token == UNKNOWN else named[place] if 0 <= place < len(named) else f"⟨{token}⟩"


def shared_tokens(rows: Sequence[Sequence[str]], tasks: np.ndarray, unit: str, least: int) -> tuple[str, ...]:
    """The tokens of the sentences of `rows` that at least `least` tasks use, the most frequent first.

    Args:
        tasks: `[rows]`, which task each row belongs to.
    """
    split = UNITS[unit][0]
    of_task: dict[int, set[str]] = {}
    counts: Counter[str] = Counter()
    for texts, task in zip(rows, tasks, strict=True):
        used = [token for text in texts for token in split(text)]
        counts.update(used)
        of_task.setdefault(int(task), set()).update(used)
    tasks_of = Counter(token for used in of_task.values() for token in used)
    shared = [token for token in counts if tasks_of[token] >= min(least, len(of_task))]
    return tuple(sorted(shared, key=lambda token: (-counts[token], token)))
