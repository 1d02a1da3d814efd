"""All registries by kind; registering a user's things; the imports that a run or model on disk needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, overload

from omnishot.core.imports import imported
from omnishot.core.registry import KINDS, Registry
from omnishot.errors import choose

Thing = TypeVar("Thing")


def registry(kind: str) -> Registry:
    """The registry of a kind of thing.

    Raises:
        UsageError: for an unknown kind, naming the nearest.
    """
    return imported(KINDS[choose("kind of thing", kind, KINDS)][1])


@overload
def register(kind: str, name: str, thing: Thing) -> Thing: ...
@overload
def register(kind: str, name: str) -> Callable[[Thing], Thing]: ...
def register(kind: str, name: str, thing: Any = None) -> Any:
    """Register a thing of your own under a name that every option, function and command accepts.

        @om.register("fusion", "mine")
        class Mine(om.Fusion): ...

    Args:
        kind: learner, fusion, encoder, objective, modality, world, dataset, imputer, auxiliary or decoder.
        name: letters, digits, dashes and underscores.
        thing: a class derived from that of its kind (`om.Learner`, `om.Fusion`, …); an encoder may be any
            `torch.nn.Module`, or a function that makes one; a world or data set is a function. None: a decorator.

    Returns:
        The thing itself, or the decorator.

    Raises:
        UsageError: if the kind is unknown, the name is taken, or the thing is not of this kind.
    """
    if thing is None:
        return lambda thing: register(kind, name, thing)
    registry(kind).register(name, thing)
    return thing


def imports_needed(used: Mapping[str, Collection[str]]) -> dict[str, dict[str, str]]:
    """The imports of the things used (names by kind) as places by kind and name; Omnishot's own are left out."""
    places = {kind: {name: registry(kind).import_needed(name) for name in names} for kind, names in used.items()}
    needed = {kind: {name: place for name, place in of_kind.items() if place} for kind, of_kind in places.items()}
    return {kind: of_kind for kind, of_kind in needed.items() if of_kind}


def require(imports: Mapping[str, Mapping[str, str]]) -> None:
    """Check that all things of `imports_needed`, recorded in a run or model on disk, are registered.

    Raises:
        UsageError: naming the import that is needed.
    """
    for kind, places in imports.items():
        for name, place in places.items():
            registry(kind).require(name, place)


def describe(plural: str) -> list[dict[str, Any]]:
    """Name, summary, paper and options of each thing of a kind, in the plural.

    Raises:
        UsageError: for an unknown kind, naming the nearest.
    """
    kinds = {plural: kind for kind, (plural, _) in KINDS.items()}
    return registry(kinds[choose("kind of thing", plural, kinds)]).describe()
