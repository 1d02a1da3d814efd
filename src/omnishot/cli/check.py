"""`omnishot check`: the inferred schema of a table, and every bad cell."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import on_terminal, print_json
from omnishot.cli.parsing import table_arguments, table_options


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("check", help="the inferred schema of a table; every bad cell")
    parser.description = "Print the inferred schema of a table and every bad cell. Exit code 1 if there is a bad cell."
    parser.add_argument("table", metavar="TABLE", help=".csv, .tsv, .jsonl or .parquet")
    table_options(parser)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(func=_check)


def _check(args: argparse.Namespace) -> int:
    from omnishot.experiment.check import examine
    from omnishot.table.reading import read_table

    report = examine(read_table(args.table, **table_arguments(args)), progress=on_terminal())
    if args.json:
        print_json(report.to_json())
    else:
        print("\n".join(report.lines()))
    return 0 if report.clean else 1
