"""`omnishot predict`: a prediction for every row of a table."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import say


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("predict", help="a prediction for every row of a table")
    parser.description = (
        "Write a table with a row for every row of TABLE, in order: its plain values, the prediction with its\n"
        "probabilities, and in `problem` which cells could not be read and were taken as missing."
    )
    parser.add_argument("model", metavar="MODEL.omni", help="the model")
    parser.add_argument("table", metavar="TABLE", help=".csv, .tsv, .jsonl or .parquet")
    parser.add_argument("--out", required=True, metavar="FILE.csv", help="or .tsv, .jsonl, .parquet")
    parser.add_argument(
        "--abstain", type=float, metavar="P", help="leave `prediction` empty where no class has this probability, 0…1"
    )
    parser.set_defaults(func=_predict)


def _predict(args: argparse.Namespace) -> None:
    from omnishot.runs.model import Model
    from omnishot.table.writing import check_format, write_frame

    check_format(args.out)
    table, bad = Model.load(args.model).fill(args.table, args.abstain)
    for cell in bad:
        say(f"omnishot: warning: {args.table}, {cell}; taken as missing")
    write_frame(table, args.out)
    without = "" if args.abstain is None else f", {table['prediction'].isna().sum():,} of them without a prediction"
    say(f"{args.out}: {len(table):,} rows{without}")
