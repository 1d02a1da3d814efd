from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnishot.core.options import keywords, parse, typed
from omnishot.errors import UsageError


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        ("5", int, 5),
        (5, float, 5.0),
        ("0.5", float | None, 0.5),
        (None, int | None, None),
        (None, Optional[int], None),  # noqa: UP045
        ("3", Union[int, str], 3),  # noqa: UP007
        ("true", bool, True),
        ("5", str, "5"),
        ("theo", str | Sequence[str] | None, "theo"),
        (["a", "b"], str | Sequence[str] | None, ("a", "b")),
        (["a", "b"], list[str], ["a", "b"]),
        ([1, 2, 3], tuple[float, ...], (1.0, 2.0, 3.0)),
        ("2-5", int | tuple[int, int], (2, 5)),
        ([2, 5], int | tuple[int, int] | None, (2, 5)),
        ([[1, 2], [3, 4]], Sequence[tuple[int, int]], ((1, 2), (3, 4))),
        ({"a": "0.5", "b": 1}, dict[str, float], {"a": 0.5, "b": 1.0}),
        ("a=0.5,b=1", Mapping[str, float], {"a": 0.5, "b": 1.0}),
        ("a=1,b=x", dict, {"a": 1, "b": "x"}),
        ("a=0.5", float | dict[str, float], {"a": 0.5}),
        ("0.5", float | dict[str, float], 0.5),
        ("gate", Literal["gate", "sum", 3], "gate"),
        ("3", Literal["gate", "sum", 3], 3),
        ("7", Annotated[int, "steps"], 7),
        ("a/b", Path | None, Path("a/b")),
        ("5", Any, 5),
        ("max", Any, "max"),
    ],
)
def test_a_value_takes_the_type_of_its_annotation(value, annotation, expected):
    converted = typed("x", value, annotation)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ("x", int), (True, int), (1, bool), (1.5, int), (None, int), (3, str), ([1, "x"], Sequence[int]),
        ("1-2-3", tuple[int, int]), ([1], tuple[int, int]), ("a", dict[str, float]), ("a=b", dict[str, float]),
        ("a=1,b", dict[str, float]), ({"a": "b"}, dict[str, float]), ("2020-01-01", int | float | bool | None),
        ("gats", Literal["gate"]), ("ab", Sequence[str]), ("1", Literal["gate", True]), (True, float),
        (object(), int | Path),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_with_what_is_needed(value, annotation):
    with pytest.raises(UsageError, match=r"option 'x' takes .*, not "):
        typed("x", value, annotation)


@pytest.mark.parametrize(
    ("annotation", "written"),
    [
        (int | tuple[int, int] | None, "int or tuple[int, int] or None"),
        (Sequence[str], "Sequence[str]"),
        (Literal["a", "b"], "'a' or 'b'"),
        (Optional[dict[str, float]], "dict[str, float] or None"),  # noqa: UP045
    ],
)
def test_a_refusal_writes_types_as_source_does(annotation, written):
    with pytest.raises(UsageError, match=re.escape(f"option 'x' takes {written}, not ")):
        typed("x", 1.5, annotation)


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

    class Inherits(Thing): ...

    assert keywords(function) == {"b": float | None, "c": str}
    assert keywords(Thing) == keywords(Inherits) == {"b": int}
    assert keywords(Thing(1)) == {}


CLASS = """
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Optional
if TYPE_CHECKING:
    from nowhere import Unknown

class Thing:
    def __init__(self, first: Unknown, *, a: int | None = None, b: Optional[Sequence[str]] = None,
                 c: Literal["x", "y"] = "x", d: Unknown = None, e=3): ...
"""


@pytest.mark.parametrize("future", [True, False])
def test_types_are_the_same_with_and_without_annotations_as_text(future):
    if not future:  # evaluated annotations must exist
        source = CLASS.replace("first: Unknown", "first").replace("d: Unknown", "d")
    else:
        source = "from __future__ import annotations\n" + CLASS
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, "own.py", "exec", dont_inherit=True), names)
    optional = Optional[Sequence[str]]  # noqa: UP045
    expected = {"a": int | None, "b": optional, "c": Literal["x", "y"], "d": Any, "e": Any}
    assert keywords(names["Thing"]) == expected
