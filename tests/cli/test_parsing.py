from __future__ import annotations

import argparse

import pytest

from omnishot.cli.parsing import Pairs, Parser, names, table_arguments, table_options
from omnishot.errors import UsageError


@pytest.fixture
def free() -> Parser:
    parser = Parser(prog="p", free=True)
    parser.add_argument("table")
    parser.add_argument("--out")
    return parser


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("--lr 0.1", {"lr": "0.1"}),
        ("--lr=-0.1", {"lr": "-0.1"}),
        ("--lr -0.1", {"lr": "-0.1"}),
        ("--skip-bad", {"skip_bad": "true"}),
        ("--skip-bad --lr 1", {"skip_bad": "true", "lr": "1"}),
        ("--skip_bad=false", {"skip_bad": "false"}),
        ("--my-photo.max-size 3", {"my-photo.max_size": "3"}),
        ("--a.b.size 3", {"a.b.size": "3"}),
        ("--x=a=b", {"x": "a=b"}),
        ("", {}),
    ],
)
def test_options_that_only_the_library_knows_are_collected(free, text, options):
    for args in (["t.csv", *text.split()], [*text.split(), "--out", "o", "t.csv"]):
        if args[-4:-3] == ["--skip-bad"]:
            continue
        parsed = free.parse_args(args)
        assert (parsed.table, parsed.options) == ("t.csv", options)


def test_a_value_of_a_free_option_is_never_taken_for_an_argument(free):
    parsed = free.parse_args(["--inner-steps", "3", "t.csv", "--out", "r"])
    assert (parsed.table, parsed.out, parsed.options) == ("t.csv", "r", {"inner_steps": "3"})


def test_pairs_are_gathered(capsys):
    parser = Parser(prog="p")
    parser.add_argument("--noise", action=Pairs, convert=float, metavar="INPUT=LEVEL")
    args = parser.parse_args(["--noise", "a=0.1,b=0.2", "--noise", "*=1"])
    assert args.noise == {"a": 0.1, "b": 0.2, "*": 1.0}
    for wrong in ("a", "=1", "a=x", "a=1,,"):
        with pytest.raises(UsageError, match="takes INPUT=LEVEL"):
            parser.parse_args(["--noise", wrong])


def test_names_are_separated_by_commas():
    assert names("a,b c,") == ["a", "b c"]


def test_options_of_a_table_that_are_not_given_are_not_passed_on():
    parser = Parser(prog="p")
    table_options(parser)
    assert table_arguments(parser.parse_args([])) == {}
    given = table_arguments(
        parser.parse_args(["--target", "t", "--split", "none", "--inputs", "a,b", "--modality", "a=text"])
    )
    assert given == {"target": "t", "split": None, "inputs": ["a", "b"], "modality": {"a": "text"}}
    assert table_arguments(argparse.Namespace(**dict.fromkeys(("target", "group", "modality", "inputs", "objective")),
                                            split="part")) == {"split": "part"}  # fmt: skip
