"""Infers a column's modality and a target's objective from its cells."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from pandas.api import types

from omnishot.errors import DataError
from omnishot.table.cells import media_kind
from omnishot.table.frames import is_listed, is_text

SAMPLE = 1000
ID_NAMES = ("id", "index", "row", "uuid")
MEDIA_FRACTION, NUMBER_FRACTION, CATEGORY_FRACTION = 0.8, 0.9, 0.2
CATEGORY_MOST, CATEGORY_LENGTH = 50, 40
#: Words that make a text a sentence.
SENTENCE = 3
#: Digits that are a code, not a number: with a leading zero, or more of them than a float holds.
CODE = r"^(-?0[0-9]+|-?[0-9]{16,})$"


def infer_modality(name: str, column: pd.Series, chosen: bool = False) -> str:
    """The modality of a column, or "note", by the first of these rules that applies:

    1. a name that begins with "_", or no present cell -> note; lists of texts -> text
    2. at least 80% of up to 1,000 cells, evenly spaced, are of one medium (`media_kind`) -> that medium
    3. named id, index, row or uuid, text or whole numbers, and not `chosen` -> note
    4. True/False -> category; numbers, or text of which 90% of the sample reads as numbers -> number
    5. words with digits and without spaces, all distinct, and not `chosen`: an identifier -> note
    6. at most 50 distinct values of at most 40 characters, at most 2 or 20% of present cells -> category
    7. otherwise -> text

    `chosen`: the user named the column as an input.

    Raises:
        DataError: if the cells are bytes or arrays of no known kind.
    """
    present = column.dropna()
    if name.startswith("_") or not len(present):
        return "note"
    if is_listed(column):
        return "text"
    sample = _sample(present)
    media = Counter(kind for kind in map(media_kind, sample) if kind) if present.dtype.kind not in "biuf" else Counter()
    likeliest, count = (media.most_common(1) or [("", 0)])[0]
    if count >= MEDIA_FRACTION * len(sample):
        return likeliest
    if not (types.is_bool_dtype(column) or types.is_numeric_dtype(column) or is_text(column)):
        raise DataError(
            f"column {name!r} holds {type(sample.iloc[0]).__name__} cells of no known kind: give its "
            f"modality, or that it is a note (--modality {name}=image, --modality {name}=note)"
        )
    if not chosen and name.lower() in ID_NAMES and not types.is_float_dtype(column):
        return "note"
    if types.is_bool_dtype(column):
        return "category"
    if _numeric(column):
        return "number"
    if not chosen and _identifies(present, sample):
        return "note"
    return "category" if _repeats(present, sample) else "text"


def tabular_kind(column: pd.Series) -> str:
    """Whether a column given as tabular is "number" or "category"."""
    return "number" if not types.is_bool_dtype(column) and _numeric(column) else "category"


def infer_objective(column: pd.Series) -> str:
    """The objective of a target: "classify", "regress", "caption" or "tag".

    Lists of texts are sentences if most texts have several words.

    Text is classes unless 90% of it reads as fractional numbers; numbers are quantities if one is fractional.
    Whole numbers are classes if they repeat (half as many distinct as rows at most) and there are either few
    (50, or twice the root of the rows) or every one of them repeats.
    """
    if is_listed(column):
        texts = [text for cell in _sample(column.dropna()) for text in cell]
        return "caption" if sum(len(text.split()) >= SENTENCE for text in texts) > len(texts) / 2 else "tag"
    if types.is_bool_dtype(column) or not _numeric(column):
        return "classify"
    values = pd.to_numeric(column, errors="coerce").to_numpy(float)
    values = values[np.isfinite(values)]
    if not len(values):
        return "regress"
    if (values % 1 != 0).any():
        return "regress"
    _, counts = np.unique(values, return_counts=True)
    few = len(counts) <= max(50, 2 * len(values) ** 0.5)
    return "classify" if len(counts) <= len(values) / 2 and (few or counts.min() > 1) else "regress"


def _sample(present: pd.Series) -> pd.Series:
    step = max(1, -(-len(present) // SAMPLE))
    return present.iloc[::step]


def _numeric(column: pd.Series) -> bool:
    if types.is_numeric_dtype(column):
        return True
    if not is_text(column):
        return False
    sample = _sample(column.dropna()).astype(str)
    numbers = pd.to_numeric(sample, errors="coerce").notna() & ~sample.str.match(CODE)
    return len(sample) > 0 and bool(numbers.mean() >= NUMBER_FRACTION)


def _identifies(present: pd.Series, sample: pd.Series) -> bool:
    if not is_text(present) or len(present) < 2 or not all(_like_id(cell) for cell in sample):
        return False
    return bool(present.is_unique)


def _like_id(cell: str) -> bool:
    return any(c.isdigit() for c in cell) and not any(c.isspace() for c in cell)


def _repeats(present: pd.Series, sample: pd.Series) -> bool:
    if sample.nunique() > CATEGORY_MOST or max(map(len, sample)) > CATEGORY_LENGTH:
        return False
    values = present.unique()
    most = min(CATEGORY_MOST, max(2, CATEGORY_FRACTION * len(present)))
    return len(values) <= most and max(map(len, values)) <= CATEGORY_LENGTH
