"""`omnishot adapt`: a few labelled rows to a model."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import say
from omnishot.cli.parsing import Pairs


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("adapt", help="a few labelled rows of a new task to a model")
    parser.description = "Adapt a run to a new task and save the model."
    parser.add_argument("run", metavar="RUN", help="the run folder")
    parser.add_argument("support", metavar="SUPPORT", help="a table of a few labelled rows")
    parser.add_argument("--out", required=True, metavar="MODEL.omni", help="the model")
    parser.add_argument(
        "--new", action=Pairs, default={}, metavar="COL=KIND",
        help="a column that the run was trained without, as a further input; may be repeated",
    )  # fmt: skip
    parser.set_defaults(func=_adapt)


def _adapt(args: argparse.Namespace) -> None:
    from omnishot.runs.model_file import check_name
    from omnishot.runs.run import Run

    check_name(args.out)
    model = Run.load(args.run).adapt(args.support, new=args.new)
    model.save(args.out)
    classes, gives = ", ".join(model.classes_), model.learner.objective.gives
    what = f"distinguishes {classes}" if classes else f"predicts {gives}"
    if model.words:
        say(f"its own words: {', '.join(model.words)}")
    for name, value in model.notes.items():
        say(f"{name}: {value}")
    say(f"{args.out} {what}; next: omnishot predict {args.out} TABLE --out FILE.csv")
