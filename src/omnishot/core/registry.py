"""Tables of named things that are imported only when they are used."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Collection, Mapping
from typing import Any

from omnishot.core import introspection as source
from omnishot.core.options import keywords, typed
from omnishot.errors import UsageError, choose, nearest


class Registry:
    """Names of one kind of thing, each with where it lives as `module:attribute`.

    The thing's docstring gives its summary (first line) and its paper (a line that begins with `Paper:`); its
    keyword-only parameters are its options. Both are read from its source where that says them plainly: nothing is
    imported to list things or to refuse an option.
    """

    def __init__(self, kind: str, places: Mapping[str, str], *, hidden: Collection[str] = ()):
        """`hidden` are keyword-only parameters that are no options."""
        self.kind = kind
        self.places = dict(places)
        self.hidden = tuple(hidden)

    def names(self) -> list[str]:
        """All names, in the order of the registry."""
        return list(self.places)

    def load(self, name: str) -> Any:
        """Import and return the thing.

        Raises:
            UsageError: naming the nearest known name, if there is no such thing.
        """
        module, attribute = self._place(name)
        return getattr(importlib.import_module(module), attribute)

    def options(self, name: str) -> dict[str, Any]:
        """Option names with their defaults."""
        try:
            found = source.options(*self._place(name))
        except source.Unclear:
            parameters = inspect.signature(self.load(name)).parameters.values()
            found = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        return {option: default for option, default in found.items() if option not in self.hidden}

    def check_options(self, name: str, given: Mapping[str, Any]) -> None:
        """Refuse options that the thing does not have.

        Raises:
            UsageError: naming the nearest right option.
        """
        known = self.options(name)
        for option in given:
            if option not in known:
                raise UsageError(f"{self.kind} {name!r} has no option {option!r}: {nearest(option, known)}")

    def call(self, name: str, /, *args: Any, **given: Any) -> Any:
        """Call the thing, a function, with options that may be given as text, as a command line does.

        Raises:
            UsageError: for an unknown thing or option, naming the nearest, or an option's value that does not fit.
        """
        self.check_options(name, given)
        annotations = keywords(self.load(name))
        return self.load(name)(*args, **{n: typed(n, value, annotations[n]) for n, value in given.items()})

    def describe(self) -> list[dict[str, Any]]:
        """What `omnishot list` prints: name, summary, paper and options of each."""
        return [{"name": name, **self._documentation(name), "options": self.options(name)} for name in self.places]

    def _documentation(self, name: str) -> dict[str, str]:
        try:
            lines = source.doc(*self._place(name)).splitlines()
        except source.Unclear:
            lines = (inspect.getdoc(self.load(name)) or "").splitlines()
        paper = next((line.removeprefix("Paper:").strip() for line in lines if line.startswith("Paper:")), "")
        return {"summary": lines[0] if lines else "", "paper": paper}

    def _place(self, name: str) -> tuple[str, str]:
        module, _, attribute = self.places[choose(self.kind, name, self.places)].partition(":")
        return module, attribute


#: Kind of thing -> its registry as "module:attribute".
REGISTRIES = {
    "learners": "omnishot.learners:LEARNERS",
    "fusions": "omnishot.nn.fusion:FUSIONS",
    "imputers": "omnishot.nn.imputation:IMPUTERS",
    "auxiliaries": "omnishot.nn.auxiliary:AUXILIARIES",
    "decoders": "omnishot.nn.decoders:DECODERS",
    "encoders": "omnishot.nn.encoders:ENCODERS",
    "objectives": "omnishot.objectives:OBJECTIVES",
    "worlds": "omnishot.worlds:WORLDS",
    "datasets": "omnishot.datasets:DATASETS",
}


def registry(kind: str) -> Registry:
    """The registry of a kind of thing, in the plural.

    Raises:
        UsageError: for an unknown kind, naming the nearest.
    """
    module, attribute = REGISTRIES[choose("kind of thing", kind, REGISTRIES)].split(":")
    return getattr(importlib.import_module(module), attribute)


def describe(kind: str) -> list[dict[str, Any]]:
    """Name, summary, paper and options of each thing of a kind.

    Raises:
        UsageError: for an unknown kind, naming the nearest.
    """
    return registry(kind).describe()
