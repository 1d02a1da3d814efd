"""Reading a command line: strictly, naming the nearest name, and with options that only the library knows."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any, NoReturn

from omnishot.errors import UsageError, choose, nearest


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError.

    Args:
        free: options that this parser does not know are collected in `options`, by name, as text: the library
            knows and checks them. `--name value`, `--name=value`, or `--name` alone for true; dashes in a name
            are underscores. Otherwise an unknown option is an error.
    """

    def __init__(self, *, free: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.allow_abbrev = False
        self.formatter_class = argparse.RawDescriptionHelpFormatter
        self.free = free

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse all of `args`; nothing is left over."""
        assert args is not None
        parsed, rest = super().parse_known_args(self._joined(args) if self.free else args, namespace)
        if self.free:
            parsed.options = {}
        for text in rest:
            name, _, value = text.partition("=")
            if not name.startswith("--"):
                self.error(f"unexpected argument {text!r}")
            if not self.free:
                self.error(f"unknown option {name}: {nearest(name, self._known())}")
            parsed.options[_name(name)] = value
        return parsed, []

    def error(self, message: str) -> NoReturn:
        """Raises: UsageError: always."""
        raise UsageError(f"{message}\n(see: {self.prog} --help)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None:
            choose(action.dest, value, action.choices)

    def _known(self) -> list[str]:
        return [name for name in self._option_string_actions if name.startswith("--")]

    def _joined(self, args: Sequence[str]) -> list[str]:
        """Every option that this parser does not know as one `--name=value`, so that no value counts as an argument."""
        joined: list[str] = []
        rest = list(args)
        while rest:
            text = rest.pop(0)
            if text.startswith("--") and "=" not in text and text not in self._option_string_actions:
                text += "=" + (rest.pop(0) if rest and not rest[0].startswith("--") else "true")
            joined.append(text)
        return joined


class Pairs(argparse.Action):
    """`--option name=value`, also several times or joined by commas, as a dict; `convert` reads each value."""

    def __init__(self, *args: Any, convert: Any = str, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.convert = convert

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        values_by_name = dict(getattr(namespace, self.dest) or {})
        for part in values.split(","):
            name, equals, value = part.rpartition("=")
            try:
                values_by_name[name] = self.convert(value)
            except ValueError:
                equals = ""
            if not equals or not name:
                parser.error(f"{option_string} takes {self.metavar}, not {part!r}")
        setattr(namespace, self.dest, values_by_name)


def names(text: str) -> list[str]:
    """`a,b` as a list."""
    return [part for part in text.split(",") if part]


def numbers(text: str) -> list[float]:
    """`0,0.5` as a list."""
    return [float(part) for part in names(text)]


def table_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that define the columns of a table."""
    group = parser.add_argument_group("the table's columns (all but the target are inferred)")
    group.add_argument("--target", metavar="COL", help="the column to predict")
    group.add_argument("--group", metavar="COL", help="a column; each of its values is one task")
    group.add_argument(
        "--modality", action=Pairs, metavar="COL=KIND",
        help="image, text, audio, series, number, category, tabular or note; may be repeated",
    )  # fmt: skip
    group.add_argument("--inputs", type=names, metavar="COL,COL", help="the only columns to learn from")
    group.add_argument("--split", metavar="COL", help="the column of train, val and test; `none`: split anew")
    group.add_argument("--objective", help="classify, regress, match, caption, answer, …")


def table_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `table_options` that were given, as `read_table` and `train` take them."""
    given = {name: getattr(args, name) for name in ("target", "group", "modality", "inputs", "objective")}
    given = {name: value for name, value in given.items() if value is not None}
    if args.split is not None:
        given["split"] = None if args.split == "none" else args.split
    return given


def _name(option: str) -> str:
    """`--objective-options.own-words` -> `objective_options.own_words`; an input's name stays as it is."""
    place, dot, name = option.removeprefix("--").rpartition(".")
    if "-" in place:
        from omnishot.experiment.config import Config  # imports torch: only where a name needs it

        plain = place.replace("-", "_")
        place = plain if plain in {field.name for field in dataclasses.fields(Config)} else place
    return place + dot + name.replace("-", "_")
