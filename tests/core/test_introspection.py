"""What is read from source files equals what `inspect` gives of the imported things."""

from __future__ import annotations

import inspect
import math
from abc import ABC, ABCMeta
from dataclasses import dataclass

import pytest
from support.things import Documented

from omnishot.core.introspection import Unclear, read
from omnishot.core.registries import registry
from omnishot.core.registry import KINDS, Registry
from omnishot.learners.inner.presets import preset


def imported(thing: object) -> tuple[str, dict[str, object]]:
    parameters = inspect.signature(thing).parameters.values()  # type: ignore[arg-type]
    return inspect.getdoc(thing) or "", {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


@pytest.mark.parametrize("kind", KINDS)
def test_everything_registered_reads_as_it_imports(kind):
    things = registry(kind)
    for name, place in things.places.items():
        doc, options = imported(things.load(name))
        if things.method != "__init__":
            _, options = imported(getattr(things.load(name), things.method))
        assert read(*place.split(":"), things.method) == (doc, options), name


class Base(ABC):  # noqa: B024
    """The base."""

    def __init__(self, first, *, size: int = -3, names: tuple[str, ...] = ("a",), needed: int):
        self.size = size


class Silent(Base): ...


class Deeper(Silent):
    """Deeper.

    More.
    """


class Elsewhere(Documented): ...


class Adjustable(Base):
    def __init_subclass__(cls, fixed=None, defaults=None):
        preset(cls, fixed or {}, defaults or {})


class Fixed(Adjustable, fixed={"needed": 2}): ...


class Preset(Fixed, fixed={"names": ("b",)}, defaults={"size": 4}):
    """Fixes one option more and has another default."""


class Own(Base):
    """Its own constructor."""

    def __init__(self, *others, other: float | None = None, **rest):
        super().__init__(*others, **rest)


def function(a, b=1, *, c: bool = True):
    """A function."""


@pytest.mark.parametrize("thing", [Base, Silent, Deeper, Elsewhere, Adjustable, Fixed, Preset, Own, function])
def test_inheritance_is_followed(thing):
    assert read(__name__, thing.__name__) == imported(thing)


def test_what_has_no_base_and_says_nothing_has_nothing():
    assert read("support.things", "Bare") == ("", {})


@dataclass(kw_only=True)
class Decorated:
    size: int = 3


class Two(Deeper, Documented): ...


class Unknown(Base, metaclass=ABCMeta): ...


class Computed:
    """Says what it does plainly, and its default not."""

    def __init__(self, *, scale: float = math.pi):
        self.scale = scale


class Made:
    def __new__(cls, *, size: int = 3):
        return super().__new__(cls)


if math.pi < 3:

    class Hidden:
        """Not at the top of the module."""


@pytest.mark.parametrize("name", ["Decorated", "Two", "Unknown", "Computed", "Made", "Hidden", "nothing"])
def test_what_the_source_does_not_say_plainly_is_not_guessed(name):
    with pytest.raises(Unclear):
        read(__name__, name)


@pytest.mark.parametrize("module", ["omnishot.nosuch", "nosuch.at_all", "sys", "math"])
def test_a_module_without_source_is_unclear(module):
    with pytest.raises(Unclear):
        read(module, "Thing")


def test_what_is_unclear_is_imported_and_inspected():
    things = Registry("thing", {n: f"{__name__}:{n}" for n in ("Computed", "Decorated")})
    computed, decorated = things.describe()
    assert computed["options"] == {"scale": math.pi}
    assert decorated["options"] == {"size": 3}
