"""Readers of published data sets in the layout they were published in: each writes one table.

Adding a data set is adding one file with a function `read(directory, out, *, options) -> Path`, and one line
here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

from omnishot.errors import UsageError, choose

# Named, not imported: listing the data sets must not load what reading them needs.
DATASETS = {
    "fsdd": "omnishot.datasets.fsdd:read",
    "mnist": "omnishot.datasets.mnist:read",
    "omniglot": "omnishot.datasets.omniglot:read",
    "omniglot-strokes": "omnishot.datasets.omniglot_strokes:read",
}


def reader(name: str) -> Callable[..., Path]:
    """The function that reads the data set `name`.

    Raises:
        UsageError: if there is no such data set.
    """
    module, function = DATASETS[choose("data set", name, DATASETS)].split(":")
    return getattr(import_module(module), function)


def options(name: str) -> dict[str, Any]:
    """The options of the data set `name` with their defaults."""
    parameters = inspect.signature(reader(name)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def describe(name: str) -> dict[str, Any]:
    """What `omnishot list datasets` says: `name`, `summary`, `paper` and `options`."""
    module = inspect.getmodule(reader(name))
    summary = (inspect.getdoc(module) or "").partition("\n")[0]
    return {
        "name": name,
        "summary": summary,
        "paper": getattr(module, "PAPER", None),
        "options": options(name),
    }


def read(name: str, directory: str | Path, out: str | Path, **given: Any) -> Path:
    """Write the data set `name`, found in the folder `directory`, as the table `out`; returns its path.

    Numbers may be given as text, as a command line does.

    Raises:
        UsageError: if the data set or an option is unknown, or an option's value does not fit.
        DataError: if `directory` does not hold the published files, or one of them is damaged.
    """
    function = reader(name)
    hints = get_type_hints(function)
    for option in given:
        choose(f"option of {name}", option, options(name))
    values = {option: _number(name, option, value, hints[option]) for option, value in given.items()}
    return function(Path(directory), Path(out), **values)


def _number(name: str, option: str, value: Any, hint: Any) -> Any:
    if int not in (hint, *get_args(hint)) or value is None:
        return value
    try:
        number = int(value)
        if isinstance(value, float) and number != value:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name}: {option} must be a whole number, not {value!r}") from None
    if number < 0:
        raise UsageError(f"{name}: {option} must not be negative, got {number}")
    return number
