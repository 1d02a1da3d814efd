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
    parser.set_defaults(func=_report)


def _report(args: argparse.Namespace) -> None:
    from omnishot.report import write

    say(f"the report is in {write(args.run)}")
