"""`omnishot demo`: the whole workflow on generated data."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import say


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("demo", help="the whole workflow on generated data, in minutes")
    parser.description = "Make a data set, meta-train, compare, adapt to an unseen alphabet, and write a report."
    parser.add_argument("--out", default="omnishot-demo", metavar="FOLDER", help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random (%(default)s)")
    parser.add_argument("--episodes", type=int, default=600, metavar="N", help="test episodes a figure (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the work, to check that everything works")
    parser.set_defaults(func=_demo)


def _demo(args: argparse.Namespace) -> None:
    from omnishot.demo import demo

    say(f"the report is in {demo(args.out, args.seed, args.episodes)}")
