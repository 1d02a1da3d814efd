"""`omnishot report`: one self-contained HTML file about a run."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import say


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("report", help="one self-contained HTML file about a run")
    parser.description = "Write report.html into a run folder."
    parser.add_argument("run", metavar="RUN", help="the run folder")
    parser.add_argument(
        "--curves", type=int, default=50, metavar="N",
        help="test tasks for each point of the curves against inner steps and missing cells, measured once; 0: none "
        "(%(default)s)",
    )  # fmt: skip
    parser.set_defaults(func=_report)


def _report(args: argparse.Namespace) -> None:
    from omnishot.report import curves, stored, write
    from omnishot.runs.run import Run

    run = Run.load(args.run)
    if args.curves and not stored(run):
        say(f"measuring curves on {args.curves} test tasks a point …")
        curves(run, episodes=args.curves)
    say(f"the report is in {write(run)}")
