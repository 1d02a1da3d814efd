"""The place from which an object can be imported, written as "module:attribute"."""

from __future__ import annotations

import importlib
import inspect
import sys
from functools import cache
from importlib.metadata import entry_points
from typing import Any


def import_of(thing: Any) -> str:
    """The place from which a class or function can be imported; of another object that of its class, followed by `()`.

    A definition inside a function has `<locals>` in its place: it cannot be imported.
    """
    if isinstance(thing, str):
        return thing
    if not isinstance(thing, type) and not inspect.isroutine(thing):
        return import_of(type(thing)) + "()"
    module = thing.__module__
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if module == "__main__" and spec is not None:  # started by `python -m module`
        module = spec.name
    return f"{module}:{thing.__qualname__}"


def importable(place: str) -> bool:
    """Whether a place can be imported: not that of an object, nor that of a definition inside a function."""
    return "<" not in place and "(" not in place


def imported(place: str) -> Any:
    """The object at a place; its module is imported if necessary."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def already_imported(place: str) -> Any:
    """The object at a place, None if its module has not been imported or lacks it."""
    module, _, attribute = place.partition(":")
    thing: Any = sys.modules.get(module)
    for name in attribute.split("."):
        thing = getattr(thing, name, None)
    return thing


@cache
def offered(group: str) -> tuple[tuple[str, str], ...]:
    """The entry points of this group in installed packages: pairs of name and place. Nothing is imported."""
    return tuple((point.name, point.value) for point in entry_points(group=group))
