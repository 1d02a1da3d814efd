"""`omnishot data`: generate a world, or import a published data set, as a table."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import plain_warnings, say


def add(commands: Any) -> None:
    """Add the subcommands."""
    parser = commands.add_parser("data", help="generate a data set, or import a published one, as a table")
    kinds = parser.add_subparsers(metavar="make|import", dest="action", required=True)
    make = kinds.add_parser("make", help="generate a world (see `omnishot list worlds`)", free=True)
    make.description = "Generate a world as a table. Its own options: see `omnishot list worlds`."
    make.add_argument("world", metavar="WORLD", help="see `omnishot list worlds`")
    make.set_defaults(func=_make)
    read = kinds.add_parser("import", help="import a published data set (see `omnishot list datasets`)", free=True)
    read.description = "Import a data set in its published layout. Its own options: see `omnishot list datasets`."
    read.add_argument("name", metavar="NAME", help="see `omnishot list datasets`")
    read.add_argument("folder", metavar="DIR", help="the folder that holds it as published")
    read.set_defaults(func=_import)
    for each in (make, read):
        each.add_argument("--out", required=True, metavar="TABLE", help=".csv, .tsv, .jsonl or .parquet")


def _make(args: argparse.Namespace) -> None:
    from omnishot.worlds import make

    with plain_warnings():
        _done(make(args.world, args.out, **args.options))


def _import(args: argparse.Namespace) -> None:
    from omnishot.datasets import read

    with plain_warnings():
        _done(read(args.name, args.folder, args.out, **args.options))


def _done(table: Any) -> None:
    say(f"the table is {table}; next: omnishot check {table}")
