"""`omnishot compare`: learners and fusions under one budget, in one table."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import on_terminal, plain_warnings, print_json, say
from omnishot.cli.parsing import Pairs, names, table_arguments, table_options

DESCRIPTION = """\
Meta-train every learner with every fusion under one budget, evaluate all on the same test tasks, and print and plot
one table with intervals, best first; ties marked (=1: overlaps the best). Exit code 1 if any of them failed.

Every option of `omnishot train` may be given and holds for all learners; an option of one learner has its name
before it:
  --maml.inner-steps 1 --protonet.lr 0.002"""


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("compare", help="learners and fusions under one budget, in one table", free=True)
    parser.description = DESCRIPTION
    parser.add_argument("table", metavar="TABLE", help=".csv, .tsv, .jsonl or .parquet")
    parser.add_argument(
        "--out",
        required=True,
        metavar="FOLDER",
        help="a run for each learner and fusion, and comparison.{json,html,png,svg}",
    )
    parser.add_argument(
        "--learners",
        required=True,
        type=names,
        metavar="A,B",
        help="see `omnishot list learners`; `all` for all of them",
    )
    parser.add_argument("--fusions", type=names, metavar="X,Y", help="see `omnishot list fusions` (attention)")
    parser.add_argument("--minutes", type=float, metavar="M", help="the budget: meta-training of each, in time …")
    parser.add_argument("--steps", type=int, metavar="N", help="… or in steps")
    table_options(parser)
    group = parser.add_argument_group("options of every training; there are more, see `omnishot train --help`")
    group.add_argument("--ways", metavar="N", help="classes a task, a number or a range 2-5 (5, or fewer)")
    group.add_argument("--shots", metavar="N", help="support rows a class, a number or a range 1-5 (1)")
    group.add_argument("--noise", action=Pairs, metavar="INPUT=LEVEL", help="noise in training up to this, 0…1")
    group.add_argument("--adversarial", action=Pairs, metavar="INPUT=RADIUS", help="adversarial training within this")
    group.add_argument("--seed", metavar="N", help="of everything random (0)")
    group.add_argument("--device", help="auto, cpu, cuda, … (auto)")
    parser.add_argument(
        "--config", metavar="FILE.toml", help="options from a file; those of the command line take precedence"
    )
    parser.add_argument("--episodes", type=int, default=600, metavar="N", help="test tasks (%(default)s)")
    parser.add_argument("--subsets", action="store_true", help="also each input alone, and half of all cells missing")
    parser.add_argument("--resume", action="store_true", help="continue the comparison in FOLDER")
    parser.add_argument("--progress", action=argparse.BooleanOptionalAction, help="show progress (on a terminal)")
    parser.add_argument("--json", action="store_true", help="print the table with all figures as JSON")
    parser.set_defaults(func=_compare)


def _compare(args: argparse.Namespace) -> int:
    from omnishot.analysis.comparison.compare import compare

    named = {n: getattr(args, n) for n in ("ways", "shots", "noise", "adversarial", "seed", "device")}
    options = {name: value for name, value in named.items() if value is not None} | args.options
    given = {n: getattr(args, n) for n in ("out", "learners", "fusions", "minutes", "steps", "episodes", "subsets")}
    with plain_warnings():
        comparison = compare(
            args.table,
            resume=args.resume,
            config=args.config,
            progress=on_terminal() if args.progress is None else args.progress,
            **given,
            **table_arguments(args),
            **options,
        )
    if args.json:
        print_json(comparison.to_json())
        for note in comparison.notes:
            say(note)
    else:
        print(comparison)
    say(f"the page is {comparison.folder / 'comparison.html'}")
    return 1 if comparison.failed else 0
