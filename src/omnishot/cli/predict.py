"""`omnishot predict`: an answer for every row of a table."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import say


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("predict", help="an answer for every row of a table")
    parser.description = (
        "Write a table with a row for every row of TABLE, in order: its plain values, the prediction with its\n"
        "probabilities, and in `problem` which cells could not be read and were taken as missing."
    )
    parser.add_argument("model", metavar="MODEL.omni", help="the model")
    parser.add_argument("table", metavar="TABLE", help=".csv, .tsv, .jsonl or .parquet")
    parser.add_argument("--out", required=True, metavar="FILE.csv", help="or .tsv, .jsonl, .parquet")
    parser.set_defaults(func=_predict)


def _predict(args: argparse.Namespace) -> None:
    from omnishot.model import Model
    from omnishot.table.writing import check_format, write_frame

    check_format(args.out)
    table, bad = Model.load(args.model).fill(args.table)
    for cell in bad:
        say(f"omnishot: warning: {args.table}, {cell}; taken as missing")
    write_frame(table, args.out)
    say(f"{args.out}: {len(table):,} rows")
