"""Values for inputs, given by input name, by kind of modality, or for all inputs (`*`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from omnishot.errors import UsageError, nearest
from omnishot.modality.base import Modality

Value = TypeVar("Value")


def by_input(values: Mapping[str, Value], modalities: Mapping[str, Modality]) -> dict[str, Value]:
    """Values by input name. The name of an input takes precedence over its kind, and its kind over `*`.

    Raises:
        UsageError: if a name is neither an input nor a kind that the table has.
    """
    kinds = {m.cell_kind for m in modalities.values()}
    for name in values:
        if name != "*" and name not in modalities and name not in kinds:
            raise UsageError(f"no input {name!r}: {nearest(name, {*modalities, *kinds, '*'})}")
    keys = {name: [key for key in (name, m.cell_kind, "*") if key in values] for name, m in modalities.items()}
    return {name: values[matching[0]] for name, matching in keys.items() if matching}


def levels_by_input(levels: Mapping[str, float], modalities: Mapping[str, Modality]) -> dict[str, float]:
    """Levels or fractions by input name.

    Raises:
        UsageError: if a name is neither an input nor a kind that the table has, or a level lies outside 0…1.
    """
    expanded = by_input(levels, modalities)
    for name, level in levels.items():
        if not 0 <= level <= 1:
            raise UsageError(f"the level of {name!r} must lie between 0 and 1, not {level}")
    return expanded


def failures_by_input(failures: Mapping[str, str], modalities: Mapping[str, Modality]) -> dict[str, str]:
    """Failures by input name.

    Raises:
        UsageError: if a name is neither an input nor a kind that the table has, or the input has no such failure.
    """
    expanded = by_input(failures, modalities)
    for name, failure in expanded.items():
        known = modalities[name].failures
        if failure not in known:
            kind = modalities[name].cell_kind
            raise UsageError(f"input {name!r} ({kind}) has no failure {failure!r}: {nearest(failure, known)}")
    return expanded


def input_names(names: Sequence[str], modalities: Mapping[str, Modality]) -> tuple[str, ...]:
    """The inputs that names or kinds stand for, in the order of `modalities`.

    Raises:
        UsageError: if a name is neither an input nor a kind that the table has.
    """
    return tuple(by_input(dict.fromkeys([names] if isinstance(names, str) else names), modalities))
