"""Options from users, as Python values or command-line text, converted to the types of a signature."""

from __future__ import annotations

import inspect
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from omnishot.errors import UsageError


def keywords(function: Callable[..., Any]) -> dict[str, Any]:
    """Names and types of the keyword-only parameters of a function, or of a class's constructor.

    Annotations that are text (`from __future__ import annotations`) are evaluated where they were written. A parameter
    without an annotation, or with one that cannot be evaluated there, has the type `Any`. An object that is neither a
    class nor a function has no parameters.
    """
    if not isinstance(function, type) and not inspect.isroutine(function):
        return {}
    written = function.__init__ if isinstance(function, type) else function  # type: ignore[misc]
    names = getattr(inspect.unwrap(written), "__globals__", None) or vars(sys.modules[function.__module__])
    parameters = inspect.signature(function).parameters.values()
    return {p.name: _evaluated(p.annotation, names) for p in parameters if p.kind is p.KEYWORD_ONLY}


def typed(name: str, value: Any, annotation: Any) -> Any:
    """`value` converted to the type `annotation` (`int | None`, `tuple[int, int]`, `dict[str, float]`); text is parsed.

    Raises:
        UsageError: if it does not fit.
    """
    try:
        return _convert(value, annotation)
    except TypeError:
        kinds = " or ".join(_shown(kind) for kind in _alternatives(annotation))
        raise UsageError(f"option {name!r} takes {kinds}, not {value!r}") from None


def parse(text: str) -> Any:
    """Text as a TOML value where it is one (`5`, `0.1`, `true`, `[2, 5]`), `2-5` as a range, else unchanged."""
    low, dash, high = text.partition("-")
    if dash and low.isdecimal() and high.isdecimal():
        return [int(low), int(high)]
    try:
        return text if "\n" in text else tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    """The type that an annotation stands for."""
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, names)
        except Exception:  # a name that is imported for type checkers only, or anything else
            return Any
    return Any if annotation is inspect.Parameter.empty else annotation


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union, or the type itself."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _alternatives(inner[0])
    return [kind for each in inner for kind in _alternatives(each)] if origin in (Union, UnionType) else [annotation]


def _convert(value: Any, annotation: Any) -> Any:
    """`value` as the first alternative that it fits; a TypeError if it fits none."""
    for kind in _alternatives(annotation):
        try:
            return _as_one(value, kind)
        except TypeError:
            continue
    raise TypeError(annotation)


def _as_one(value: Any, kind: Any) -> Any:
    """`value` as a type that is no union; a TypeError if it does not fit."""
    outer, inner = get_origin(kind) or kind, get_args(kind)
    if outer is Literal:
        return _choice(value, inner)
    if outer is str or outer is Path:
        if not isinstance(value, (str, Path) if outer is Path else str):
            raise TypeError(kind)
        return outer(value)
    value = parse(value) if isinstance(value, str) else value
    if outer in (bool, int, float):
        return _number(value, outer)
    if outer in (None, NoneType) and value is None:
        return None
    if outer in (tuple, list, Sequence):
        return _items(value, outer, inner)
    if outer in (dict, Mapping):
        return _pairs(value, inner[1] if inner else Any)
    if outer is Any or not isinstance(outer, type) or isinstance(value, outer):  # or a type variable, and so on
        return value
    raise TypeError(kind)


def _choice(value: Any, choices: Sequence[Any]) -> Any:
    for choice in choices:
        given = parse(value) if isinstance(value, str) and not isinstance(choice, str) else value
        if given == choice and type(given) is type(choice):
            return choice
    raise TypeError(choices)


def _number(value: Any, kind: type) -> Any:
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise TypeError(kind)
    return kind(value)


def _items(values: Any, outer: Any, inner: tuple[Any, ...]) -> Any:
    if not isinstance(values, list | tuple):  # a text is a sequence too
        raise TypeError(outer)
    if outer is tuple and inner and inner[-1] is not Ellipsis:
        if len(values) != len(inner):
            raise TypeError(inner)
        return tuple(_convert(value, kind) for value, kind in zip(values, inner, strict=True))
    items = [_convert(value, inner[0] if inner else Any) for value in values]
    return items if outer is list else tuple(items)


def _pairs(value: Any, kind: Any) -> dict[str, Any]:
    if isinstance(value, str) and all("=" in pair for pair in value.split(",")):  # image=0.5,sound=0.2
        value = {name.strip(): each for name, _, each in (pair.rpartition("=") for pair in value.split(","))}
    if not isinstance(value, Mapping):
        raise TypeError(kind)
    return {str(name): _convert(each, kind) for name, each in value.items()}


def _shown(kind: Any) -> str:
    """A type as it is written in source."""
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if kind is NoneType:
        return "None"
    if isinstance(kind, type) and not get_args(kind):
        return kind.__name__
    return str(kind).replace("collections.abc.", "").replace("typing.", "")
