"""Registries: things of one kind by name, Omnishot's own, a user's, and those of installed packages."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Collection, Mapping
from typing import Any

from omnishot.core import introspection
from omnishot.core.imports import already_imported, import_of, importable, imported, offered
from omnishot.core.options import keywords, typed
from omnishot.errors import UsageError, choose, nearest

#: Kind -> its plural, which `omnishot list` takes, and where its registry is, as "module:attribute".
#: An installed package offers things of its own by entry points of the group `omnishot.<plural>`.
KINDS = {
    "learner": ("learners", "omnishot.learners:LEARNERS"),
    "fusion": ("fusions", "omnishot.nn.fusion:FUSIONS"),
    "imputer": ("imputers", "omnishot.nn.imputation:IMPUTERS"),
    "auxiliary": ("auxiliaries", "omnishot.nn.auxiliary:AUXILIARIES"),
    "decoder": ("decoders", "omnishot.nn.decoders:DECODERS"),
    "encoder": ("encoders", "omnishot.nn.encoders:ENCODERS"),
    "objective": ("objectives", "omnishot.objectives:OBJECTIVES"),
    "modality": ("modalities", "omnishot.modality:MODALITIES"),
    "world": ("worlds", "omnishot.worlds:WORLDS"),
    "dataset": ("datasets", "omnishot.datasets:DATASETS"),
}
#: What users have registered, by kind and name: here, so that earlier layers can see the names of later ones.
_REGISTERED: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}


class Registry:
    """Things of one kind by name.

    Omnishot's own and those of installed packages are imported when they are first used. The docstring of a thing gives
    its summary (first line) and its paper (a line that begins with `Paper:`); its keyword-only parameters are its
    options. Both are read from its source where that says them plainly, so that a list imports nothing.

    Args:
        kind: what messages call one of the things.
        places: where each of Omnishot's own is, as "module:attribute".
        base: the class that all others must derive from, likewise; None: any function or class serves.
        named: the class attribute that holds the name, which registering sets; None: there is none.
        method: of a class, the one whose keyword-only parameters are the options.
        hidden: keyword-only parameters that are no options.
    """

    def __init__(
        self,
        kind: str,
        places: Mapping[str, str],
        *,
        base: str | None = None,
        named: str | None = None,
        method: str = "__init__",
        hidden: Collection[str] = (),
    ):
        self.kind, self.places, self.base, self.named = kind, dict(places), base, named
        self.method, self.hidden = method, tuple(hidden)
        self.registered = _REGISTERED.get(kind, {})

    def names(self) -> list[str]:
        """All names: Omnishot's own, then those registered, then those of installed packages."""
        return [*self.places, *self.registered, *self._offered()]

    def load(self, name: str) -> Any:
        """The thing, imported if need be.

        Raises:
            UsageError: if there is no such thing, naming the nearest, or an installed package's cannot be imported.
        """
        place = self._find(name)
        if not isinstance(place, str):
            return place
        if name in self.places:
            return imported(place)
        try:
            thing = imported(place)
        except Exception as error:  # whatever a foreign module raises
            raise UsageError(f"{self.kind} {name!r} of an installed package: {place} fails with {error!r}") from error
        self._check(name, thing)
        return thing

    def register(self, name: str, thing: Any) -> None:
        """Add a thing. A class or function that was defined again, as in a notebook, replaces its earlier definition.

        Raises:
            UsageError: if this is no name, the name is taken, or the thing is not of this kind.
        """
        if not re.fullmatch(r"\w[\w-]*", name):
            raise UsageError(f"a name has letters, digits, - and _: register the {self.kind} {name!r} by another")
        self._check(name, thing)
        place = import_of(thing)
        before = {**self.registered, **self._offered(), **self.places}.get(name, thing)
        if before is not thing and (before != place if isinstance(before, str) else not _same(before, place)):
            raise UsageError(f"{self.kind} {name!r} is {import_of(before)} already: register {place} by another name")
        if not isinstance(before, str):
            self.registered[name] = thing
            if self.named:
                setattr(thing, self.named, name)

    def name_of(self, given: Any) -> str:
        """The name of a thing, or a name unchanged. An unnamed thing is registered by that of its class or function.

        Raises:
            UsageError: as `register` does.
        """
        if isinstance(given, str):
            return given
        place = import_of(given)
        known = {**self._offered(), **self.registered, **self.places}
        for name, other in known.items():
            if other is given or other == place:
                return name
        name = getattr(given, "__name__", type(given).__name__)
        try:
            self.register(name, given)
        except UsageError as error:
            raise UsageError(f"{error} (om.register({self.kind!r}, NAME, …))") from None
        return name

    def options(self, name: str) -> dict[str, Any]:
        """Option names with their defaults."""
        return {option: default for option, default in self._read(name)[1].items() if option not in self.hidden}

    def types(self, name: str) -> dict[str, Any]:
        """Option names with their types."""
        return {option: kind for option, kind in keywords(self._function(name)).items() if option not in self.hidden}

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
        types = self.types(name)
        return self.load(name)(*args, **{n: typed(n, value, types[n]) for n, value in given.items()})

    def describe(self) -> list[dict[str, Any]]:
        """What `omnishot list` prints: name, summary, paper and options of each."""
        return [self._describe(name) for name in self.names()]

    def import_needed(self, name: str) -> str | None:
        """The import that provides a thing, as "module:attribute"; None for Omnishot's own."""
        return None if name in self.places else import_of(self._find(name))

    def require(self, name: str, place: str) -> None:
        """Check that a thing is registered which a run or model on disk was trained with.

        A file must not choose what code is run, so nothing is imported for it. The thing must be registered, or be a
        class, derived from the right base, of a module that has been imported.

        Raises:
            UsageError: naming the import that is needed.
        """
        if name in self.names():
            known = import_of(self._find(name))
            if known.partition(":")[2] == place.partition(":")[2]:
                return
            raise UsageError(f"this was trained with the {self.kind} {name!r} of {place}, and here {name!r} is {known}")
        thing = already_imported(place)
        if isinstance(thing, type) and issubclass(thing, imported(self.base or "torch.nn:Module")):
            self.register(name, thing)
            return
        raise UsageError(
            f"this was trained with the {self.kind} {name!r}, {place}, which is not known here: "
            + _remedy(self.kind, name, place)
        )

    def _check(self, name: str, thing: Any) -> None:
        if self.base is None and not callable(thing):
            raise UsageError(f"{self.kind} {name!r} must be something to call, not {thing!r}")
        if self.base and not (isinstance(thing, type) and issubclass(thing, imported(self.base))):
            base = self.base.replace(":", ".")
            raise UsageError(f"{self.kind} {name!r} must be a class derived from {base}, not {thing!r}")

    def _find(self, name: str) -> Any:
        """The thing, or where it is as "module:attribute"."""
        for known in (self.places, self.registered):
            if name in known:
                return known[name]
        choose(self.kind, name, self.names())
        return self._offered()[name]

    def _offered(self) -> dict[str, str]:
        """The things of installed packages: place by name. A name that is taken is refused, with a warning."""
        free: dict[str, str] = {}
        for name, place in offered(f"omnishot.{KINDS[self.kind][0]}") if self.kind in KINDS else ():
            before = self.places.get(name) or free.setdefault(name, place)
            if before != place:
                warnings.warn(
                    f"{self.kind} {name!r} of an installed package, {place}, is {before} already", stacklevel=2
                )
        return {name: place for name, place in free.items() if name not in self.registered}

    def _describe(self, name: str) -> dict[str, Any]:
        try:
            text, options = self._read(name)[0], self.options(name)
        except UsageError as error:  # an error of an installed package must not stop the list
            text, options = str(error), {}
        lines = text.splitlines() or [""]
        paper = next((line.removeprefix("Paper:").strip() for line in lines if line.startswith("Paper:")), "")
        return {"name": name, "summary": lines[0], "paper": paper, "options": options}

    def _read(self, name: str) -> tuple[str, dict[str, Any]]:
        """Docstring, and keyword-only parameters with their defaults."""
        place = self._find(name)
        try:
            if isinstance(place, str):
                module, _, attribute = place.partition(":")
                return introspection.read(module, attribute, self.method)
        except introspection.Unclear:
            pass
        function = self._function(name)
        options = {option: inspect.signature(function).parameters[option].default for option in keywords(function)}
        return inspect.getdoc(self.load(name)) or "", options

    def _function(self, name: str) -> Any:
        """What takes the options: the thing itself, or a method other than the constructor."""
        thing = self.load(name)
        return thing if self.method == "__init__" else getattr(thing, self.method)


def registered(kind: str) -> dict[str, Any]:
    """What users have registered of a kind, by name."""
    return dict(_REGISTERED[kind])


def _same(before: Any, place: str) -> bool:
    return importable(place) and import_of(before) == place


def _remedy(kind: str, name: str, place: str) -> str:
    module, _, attribute = place.partition(":")
    register = f"om.register({kind!r}, {name!r}, …)"
    if module == "__main__":
        return f"{attribute} belongs to the script that trained it, so define or import it here, and {register}"
    if not importable(place):
        return f"make it again as it was when it was trained, and {register}"
    return (
        f"import {module} (omnishot --import {module} … on the command line); if that does not register it, {register}"
    )
