"""A data frame whose columns are of four types only: numbers, bool, text, or objects (bytes, arrays, lists of text)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from omnishot.errors import DataError
from omnishot.table.cells import missing
from omnishot.table.texts import as_lists

#: What pandas calls objects that are all of one scalar type, and the type such a column becomes.
SCALARS = {
    "integer": float,
    "floating": float,
    "mixed-integer-float": float,
    "decimal": float,
    "boolean": bool,
}


def clean(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The same cells with text column names, a plain index, and one kind of missing cell (None or NaN).

    Numbers stay numbers; True and False stay so unless a cell is missing; a column that mixes numbers and
    text is text, as it would be in a CSV file; dates and categories become text; `{"bytes", "path"}` becomes
    one of them; a column of lists of texts, or of JSON of such as text files hold it, is one of lists without blank
    texts.

    Raises:
        DataError: if the frame has no column, no row, or two columns of one name.
    """
    names = [str(column) if column != "" else f"_column{i + 1}" for i, column in enumerate(frame.columns)]
    check_header(names, name)
    if not len(frame):
        raise DataError(f"{name} has no rows: a table needs a header and at least one row")
    columns = {column: _clean(frame.iloc[:, i].reset_index(drop=True)) for i, column in enumerate(names)}
    return pd.DataFrame(columns, copy=False)


def check_header(names: Sequence[str], name: str) -> None:
    """Check the column names.

    Raises:
        DataError: if there are none, or one occurs twice.
    """
    if not names:
        raise DataError(f"{name} is empty: a table needs a header and at least one row")
    repeated = sorted({column for column in names if names.count(column) > 1})
    if repeated:
        raise DataError(f"{name} has two columns named {repeated[0]!r}: rename one of them")


def objects(cells: Sequence[Any]) -> pd.Series:
    """A column of arbitrary cells (a plain constructor would spread arrays over several columns)."""
    column = np.empty(len(cells), dtype=object)
    for i, cell in enumerate(cells):
        column[i] = cell
    return pd.Series(column)


def is_text(column: pd.Series) -> bool:
    """Whether a clean column holds text."""
    if column.dtype == object:  # pandas 2 keeps text as objects
        return types.infer_dtype(column, skipna=True) == "string"
    return types.is_string_dtype(column.dtype)


def is_listed(column: pd.Series) -> bool:
    """Whether a clean column holds lists of texts."""
    present = column.dropna() if column.dtype == object else column[:0]
    return any(isinstance(cell, list) and all(isinstance(text, str) for text in cell) for cell in present[:1])


def _clean(column: pd.Series) -> pd.Series:
    lists = as_lists(column.array) if column.dtype == object or types.is_string_dtype(column.dtype) else None
    return _clean_plain(column) if lists is None else objects(lists)


def _clean_plain(column: pd.Series) -> pd.Series:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _clean(column.astype(dtype.categories.dtype if not column.hasnans else object))
    if types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        return _text(column.astype(str).where(column.notna()))
    if types.is_bool_dtype(dtype) and not column.isna().any():
        return column.astype(bool)
    if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype) and not types.is_bool_dtype(dtype):
        if not types.is_extension_array_dtype(dtype):
            return column
        return (
            pd.Series(column.to_numpy(float, na_value=np.nan)) if column.isna().any() else pd.Series(column.to_numpy())
        )
    if types.is_string_dtype(dtype) and not types.is_object_dtype(dtype):
        return _text(column)
    return _clean_objects(column.astype(object))


def _clean_objects(column: pd.Series) -> pd.Series:
    kind = types.infer_dtype(column, skipna=True)
    if kind not in (*SCALARS, "string"):  # looking at every cell is slow, and needed for objects only
        column = objects([_cell(cell) for cell in column])
        kind = types.infer_dtype(column, skipna=True)
    gaps = column.isna()
    if gaps.all():
        return objects([None] * len(column))
    if kind == "string":
        return _text(column.where(~gaps, None).infer_objects())
    if kind in SCALARS and not (kind == "boolean" and gaps.any()):
        if kind == "integer" and not gaps.any():
            return column.infer_objects()  # int64, or objects where an integer is too large
        return column.astype(SCALARS[kind])
    if all(isinstance(cell, str | bool | int | float | np.generic) for cell in column[~gaps]):
        return _text(pd.Series([None if gap else str(cell) for cell, gap in zip(column, gaps, strict=True)]))
    return column


def _text(column: pd.Series) -> pd.Series:
    if getattr(column.dtype, "na_value", None) is pd.NA:
        column = pd.Series(column.to_numpy(object, na_value=np.nan))
    return column.mask(column == "", None)


def _cell(cell: Any) -> Any:
    if isinstance(cell, dict) and cell and set(cell) <= {"bytes", "path"}:  # how Hugging Face stores a file
        cell = cell.get("bytes") or cell.get("path")
    if missing(cell):
        return None
    return os.fspath(cell) if isinstance(cell, os.PathLike) else cell
