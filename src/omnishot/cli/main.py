"""The entry point."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import omnishot
from omnishot.cli import adapt, check, compare, data, demo, evaluate, explain, predict, report, robustness, train
from omnishot.cli import list as listing
from omnishot.cli import search as searching
from omnishot.cli.parsing import Parser
from omnishot.core.distributed import is_first_to_report
from omnishot.errors import OmnishotError

COMMANDS = (
    *(demo, check, train, compare, evaluate, adapt, predict, searching),
    *(explain, report, robustness, data, listing),
)


def parser() -> Parser:
    """The parser of the whole command line."""
    top = Parser(prog="omnishot", description="Learn to learn from rows that mix images, text, sound and sensors.")
    top.add_argument("--version", action="version", version=omnishot.__version__)
    commands = top.add_subparsers(metavar="COMMAND", dest="command", required=True)
    for command in COMMANDS:
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code: 0 done, 1 the data or result falls short, 2 wrong usage."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        args = parser().parse_args(argv)
        return args.func(args) or 0
    except OmnishotError as error:
        if is_first_to_report(str(error)):
            print(f"omnishot: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("omnishot: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has seen enough; nothing more may be written at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def run() -> None:
    """The `omnishot` command."""
    sys.exit(main())
