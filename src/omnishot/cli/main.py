"""The entry point."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import omnishot
from omnishot.cli import adapt, check, compare, data, demo, evaluate, explain, predict, report, robustness, train
from omnishot.cli import list as listing
from omnishot.cli import search as searching
from omnishot.cli.parsing import Parser
from omnishot.core.distributed import is_first_to_report
from omnishot.errors import OmnishotError, UsageError

COMMANDS = (
    *(demo, check, train, compare, evaluate, adapt, predict, searching),
    *(explain, report, robustness, data, listing),
)


def parser() -> Parser:
    """The parser of the whole command line."""
    top = Parser(prog="omnishot", description="Learn to learn from rows that mix images, text, sound and sensors.")
    top.add_argument("--version", action="version", version=omnishot.__version__)
    top.add_argument(
        "--import", action="append", default=[], dest="modules", metavar="MODULE",
        help="import a module first, which defines or registers things of your own; may be repeated",
    )  # fmt: skip
    commands = top.add_subparsers(metavar="COMMAND", dest="command", required=True)
    for command in COMMANDS:
        command.add(commands)
    return top


def import_module(name: str) -> None:
    """Import a user's module, from the working folder too.

    Raises:
        UsageError: if it cannot be imported.
    """
    sys.path.insert(0, os.getcwd())
    try:
        importlib.import_module(name)
    except Exception as error:  # whatever the module raises
        raise UsageError(f"--import {name}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code: 0 done, 1 the data or result falls short, 2 wrong usage."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        args = parser().parse_args(argv)
        for name in vars(args).pop("modules"):  # the commands pass on what is left as options
            import_module(name)
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
