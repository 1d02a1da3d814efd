"""Registries load what they name, and say what it is."""

from __future__ import annotations

import inspect

import pytest
from support.things import Documented

from omnishot.core.registry import Registry
from omnishot.errors import UsageError
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.encoders import ENCODERS
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.fusion import FUSIONS
from omnishot.objectives import OBJECTIVES
from omnishot.objectives.base import Objective

HERE = Registry(
    "thing", {"documented": "support.things:Documented", "bare": "support.things:Bare", "gone": "omnishot.nosuch:Thing"}
)


def test_names_keep_their_order_and_nothing_is_imported_for_them():
    assert HERE.names() == ["documented", "bare", "gone"]


def test_loading():
    assert HERE.load("documented") is Documented
    with pytest.raises(ModuleNotFoundError):
        HERE.load("gone")
    with pytest.raises(UsageError, match="unknown thing 'documentd': did you mean 'documented'"):
        HERE.load("documentd")


def test_options_are_the_keyword_only_parameters():
    assert HERE.options("documented") == {"size": 3, "name": "x"}
    assert HERE.options("bare") == {}
    hidden = Registry("thing", HERE.places, hidden=("name",))
    assert hidden.options("documented") == {"size": 3}
    HERE.check_options("documented", {"size": 5})
    with pytest.raises(UsageError, match="thing 'documented' has no option 'sise': did you mean 'size'"):
        HERE.check_options("documented", {"sise": 5})
    with pytest.raises(UsageError, match="no option 'told'"):
        HERE.check_options("documented", {"told": 5})
    with pytest.raises(UsageError, match="known: none"):
        HERE.check_options("bare", {"size": 5})


def test_describing():
    only = Registry("thing", {n: HERE.places[n] for n in ("documented", "bare")})
    documented, bare = only.describe()
    assert documented == {
        "name": "documented",
        "summary": "A thing with everything.",
        "paper": "Somebody, Something, 2020",
        "options": {"size": 3, "name": "x"},
    }
    assert bare["paper"] == ""


@pytest.mark.parametrize(
    ("registry", "base"), [(LEARNERS, Learner), (ENCODERS, Encoder), (FUSIONS, object), (OBJECTIVES, Objective)]
)
def test_everything_registered_is_there_and_documented(registry, base):
    for thing in registry.describe():
        cls = registry.load(thing["name"])
        assert issubclass(cls, base)
        assert thing["summary"].endswith(".")
        assert all(default is not inspect.Parameter.empty for default in thing["options"].values()), thing["name"]
        if registry is not OBJECTIVES:
            assert thing["paper"][-4:].isdigit() or ", " in thing["paper"], thing["name"]
        if registry is LEARNERS or registry is ENCODERS:
            for option in thing["options"]:  # each is explained, here or in what it inherits from
                assert option in " ".join(inspect.getdoc(c) or "" for c in cls.__mro__) or registry is ENCODERS
    if base is Objective:
        assert all(registry.load(name).name == name for name in registry.names())


def test_no_learner_is_named_in_another_place():
    """What a learner is called matters nowhere but in its registry."""
    for name in LEARNERS.names():
        assert LEARNERS.load(name).called() == name  # what refusals call it


def make(out: str, *, size: int = 3, name_of_it: str | None = None) -> tuple[str, int, str | None]:
    """Makes a thing."""
    return out, size, name_of_it


def test_calling_with_options_given_as_text():
    functions = Registry("maker", {"make": f"{__name__}:make"})
    assert functions.call("make", "x", size="5", name_of_it="7") == ("x", 5, "7")
    with pytest.raises(UsageError, match="maker 'make' has no option 'siez': did you mean 'size'"):
        functions.call("make", "x", siez=3)
    with pytest.raises(UsageError, match="option 'size' takes int, not 'big'"):
        functions.call("make", "x", size="big")
