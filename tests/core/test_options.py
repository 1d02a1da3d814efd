from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.core.options import keywords, parse, typed
from omnishot.errors import UsageError


@pytest.mark.parametrize(
    ("value", "annotation", "wanted"),
    [
        ("5", "int", 5),
        (5, "float", 5.0),
        ("0.5", "float | None", 0.5),
        (None, "int | None", None),
        ("true", "bool", True),
        ("5", "str", "5"),
        ("theo", "str | Sequence[str] | None", "theo"),
        (["a", "b"], "str | Sequence[str] | None", ("a", "b")),
        ("2-5", "int | tuple[int, int]", (2, 5)),
        ([2, 5], "int | tuple[int, int] | None", (2, 5)),
        ({"a": "0.5", "b": 1}, "dict[str, float]", {"a": 0.5, "b": 1.0}),
        ("a=0.5,b=1", "dict[str, float]", {"a": 0.5, "b": 1.0}),
        ("a=0.5", "float | dict[str, float]", {"a": 0.5}),
        ("0.5", "float | dict[str, float]", 0.5),
    ],
)
def test_a_value_becomes_what_is_wanted(value, annotation, wanted):
    found = typed("x", value, annotation)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ("x", "int"), (True, "int"), (1, "bool"), (1.5, "int"), (None, "int"), (3, "str"), ([1, "x"], "Sequence[int]"),
        ("1-2-3", "tuple[int, int]"), ([1], "tuple[int, int]"), ("a", "dict[str, float]"),
        ("a=b", "dict[str, float]"), ("a=1,b", "dict[str, float]"),
        ({"a": "b"}, "dict[str, float]"), ("2020-01-01", "int | float | bool | None"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_what_is_wanted(value, annotation):
    with pytest.raises(UsageError, match=r"option 'x' takes .*, not "):
        typed("x", value, annotation)


@given(st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
def test_text_is_parsed_to_the_value_it_shows(value):
    assert parse(str(value).lower()) == value


@given(st.text())
def test_any_text_can_be_parsed(text):
    parse(text)


def test_text_that_is_no_value_stays_text():
    assert parse("attention") == "attention"
    assert parse("a = 1") == "a = 1"
    assert parse("3\nb = 2") == "3\nb = 2"


def test_keywords_are_the_keyword_only_parameters():
    def function(a: int, *, b: float | None = None, c: str = "x") -> None: ...

    class Thing:
        def __init__(self, a: int, *, b: int = 3): ...

    assert keywords(function) == {"b": "float | None", "c": "str"}
    assert keywords(Thing) == {"b": "int"}
