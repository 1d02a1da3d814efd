"""`omnishot list`: the available learners, fusions and other things."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import print_json
from omnishot.core.registry import KINDS


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("list", help="the available learners, fusions, …, with their options")
    parser.description = "List all of a kind, each with its paper and options."
    parser.add_argument(
        "kind", metavar="KIND",
        help=", ".join(plural for plural, _ in KINDS.values()),
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.set_defaults(func=_list)


def _list(args: argparse.Namespace) -> None:
    from omnishot.core.registries import describe

    things = describe(args.kind)
    if args.json:
        print_json(things)
        return
    for thing in things:
        print(f"{thing['name']}: {thing['summary']}")
        if thing["paper"]:
            print(f"    paper: {thing['paper']}")
        if thing["options"]:
            print("    options: " + ", ".join(f"{name}={value!r}" for name, value in thing["options"].items()))
