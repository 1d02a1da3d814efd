"""Options as people say them, Python values or text from a command line, to what a parameter wants."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from omnishot.errors import UsageError


def keywords(function: Callable[..., Any]) -> dict[str, str]:
    """Names and annotations of the keyword-only parameters of a function, or of a class's constructor."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: str(p.annotation) for p in parameters if p.kind is p.KEYWORD_ONLY}


def typed(name: str, value: Any, annotation: Any) -> Any:
    """`value` as the annotation (`int | None`, `tuple[int, int]`, `dict[str, float]`) wants it; text is parsed.

    Raises:
        UsageError: if it does not fit.
    """
    kinds = [kind.strip() for kind in str(annotation).split("|")]
    for kind in kinds:
        try:
            return _read(value, kind)
        except TypeError:
            continue
    raise UsageError(f"option {name!r} takes {' or '.join(kinds)}, not {value!r}")


def parse(text: str) -> Any:
    """Text as a TOML value where it is one (`5`, `0.1`, `true`, `[2, 5]`), `2-5` as a range, else as it stands."""
    low, dash, high = text.partition("-")
    if dash and low.isdecimal() and high.isdecimal():
        return [int(low), int(high)]
    try:
        return text if "\n" in text else tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read(value: Any, kind: str) -> Any:
    """`value` as one kind; a TypeError if it does not fit."""
    outer, _, inner = kind.partition("[")
    parts = [part.strip() for part in inner.removesuffix("]").split(",")]
    value = parse(value) if isinstance(value, str) and outer != "str" else value
    match outer, value:
        case ("bool", bool()) | ("str", str()) | ("None", None):
            return value
        case ("int" | "float", bool()):
            pass
        case ("int", int()) | ("float", float()):
            return value
        case ("float", int()):
            return float(value)
        case ("tuple", list() | tuple()) if len(value) == len(parts):
            return tuple(_read(each, part) for each, part in zip(value, parts, strict=True))
        case ("Sequence", list() | tuple()):
            return tuple(_read(each, parts[0]) for each in value)
        case ("dict", Mapping()):
            return {str(key): _read(each, parts[1]) for key, each in value.items()}
        case ("dict", str()) if all("=" in pair for pair in value.split(",")):  # image=0.5,sound=0.2
            pairs = (pair.rpartition("=") for pair in value.split(","))
            return {key.strip(): _read(each, parts[1]) for key, _, each in pairs}
    raise TypeError(kind)
