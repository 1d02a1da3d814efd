from __future__ import annotations

import pytest

from omnishot.errors import UsageError
from omnishot.registry import Registry


def make(out: str, *, size: int = 3, name_of_it: str | None = None, told: int = 0) -> tuple:
    """Makes a thing.

    More of it.

    Paper: Somebody, Something, 2020
    """
    return out, size, name_of_it, told


class Bare:
    def __init__(self, *, needed: int):
        self.needed = needed


THINGS = Registry("thing", {"make": f"{__name__}:make", "bare": f"{__name__}:Bare"}, hidden=("told",))


def test_a_thing_is_described_by_its_signature_and_docstring():
    made, bare = THINGS.describe()
    assert made == {
        "name": "make", "summary": "Makes a thing.", "paper": "Somebody, Something, 2020",
        "options": {"size": 3, "name_of_it": None},
    }  # fmt: skip
    assert (bare["summary"], bare["paper"]) == ("", "")


def test_a_thing_is_called_with_options_given_as_text():
    assert THINGS.call("make", "x", size="5", name_of_it="7") == ("x", 5, "7", 0)


def test_wrong_names_are_refused_with_the_nearest():
    with pytest.raises(UsageError, match="unknown thing 'mak': did you mean 'make'"):
        THINGS.load("mak")
    with pytest.raises(UsageError, match="thing 'make' has no option 'siez': did you mean 'size'"):
        THINGS.call("make", "x", siez=3)
    with pytest.raises(UsageError, match="thing 'make' has no option 'told'"):
        THINGS.call("make", "x", told=3)
    with pytest.raises(UsageError, match="option 'size' takes int, not 'big'"):
        THINGS.call("make", "x", size="big")


def test_names_keep_their_order():
    assert THINGS.names() == ["make", "bare"]
