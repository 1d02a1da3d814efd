"""`omnishot evaluate`: figures of a run on unseen tasks."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import on_terminal, print_json
from omnishot.cli.parsing import Pairs, names
from omnishot.errors import UsageError


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("evaluate", help="figures of a run on unseen tasks")
    parser.description = (
        "Adapt to many tasks of the test part, and score. Unless inputs are corrupted on purpose, also\n"
        "each input alone and with half of all cells missing. Several processes share the tasks:\n"
        "torchrun --nproc-per-node N -m omnishot evaluate …"
    )
    parser.add_argument("run", metavar="RUN", help="the run folder")
    parser.add_argument("--table", metavar="TABLE", help="another table with the same columns (the run's own)")
    parser.add_argument("--ways", type=int, metavar="N", help="classes a task (as in training)")
    parser.add_argument("--shots", type=int, metavar="N", help="support rows a class (as in training)")
    parser.add_argument("--queries", type=int, metavar="N", help="query rows a class (15, or fewer)")
    parser.add_argument("--episodes", type=int, default=600, metavar="N", help="tasks (%(default)s)")
    _add_corruption(parser)
    parser.add_argument(
        "--new", action=Pairs, default={}, metavar="COL=KIND",
        help="a column that the run was trained without: with it, without it, and the improvement; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--open-set", type=int, default=0, metavar="N",
        help="further classes a task, without support rows: how well their query rows are recognised as such",
    )  # fmt: skip
    parser.add_argument(
        "--unadapted", action="store_false", dest="adapted",
        help="predict the same query rows without the support rows, from the learner's initial state",
    )  # fmt: skip
    _add_retrieval(parser)
    parser.add_argument("--split", default="test", metavar="PART", help="train, val or test (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the tasks (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON records")
    parser.set_defaults(func=_evaluate, default=parser.get_default)


def _add_corruption(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--missing", action=Pairs, convert=float, metavar="INPUT=SHARE",
        help="share 0…1 of an input's cells taken away; * for all inputs; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--missing-in", default="all", metavar="ROWS", help="whose cells: support, query or all rows' (%(default)s)"
    )
    parser.add_argument(
        "--noise", action=Pairs, convert=float, metavar="INPUT=LEVEL", help="noise 0…1; may be repeated"
    )
    parser.add_argument(
        "--failure", action=Pairs, metavar="INPUT=KIND",
        help="dead, swapped (series, numbers), delayed (series, sound, video) or frozen (video); may be repeated",
    )  # fmt: skip
    parser.add_argument("--attack", metavar="NAME", help="fgsm or pgd, on query rows of a learned task")
    parser.add_argument(
        "--epsilon", action=Pairs, convert=float, metavar="INPUT=RADIUS",
        help="how far an attack may move each number: pictures from black 0 to white 1, sounds in full scales, series "
        "and numbers in standard deviations; may be repeated",
    )  # fmt: skip
    parser.add_argument("--attack-steps", type=int, metavar="N", help="of pgd (10)")
    for half in ("support", "query"):
        parser.add_argument(
            f"--{half}-inputs", type=names, default=[], metavar="INPUT,INPUT",
            help=f"the inputs that {half} rows keep; the others are missing (all)",
        )  # fmt: skip


def _add_retrieval(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--retrieve", type=names, metavar="INPUT,INPUT",
        help="instead of tasks, retrieval of rows by one of these inputs from the other: recall@1, 5, 10 and "
        "median rank, both ways",
    )  # fmt: skip
    parser.add_argument(
        "--gallery", type=int, metavar="N",
        help="of --retrieve: how many rows are searched, each of another class, --episodes times (all rows, once)",
    )  # fmt: skip
    parser.add_argument(
        "--right", default="class", metavar="WHAT",
        help="of --retrieve: `class`: a row of the same class is a hit; `row`: only the row itself (%(default)s)",
    )  # fmt: skip


def _evaluate(args: argparse.Namespace) -> None:
    from omnishot.core.distributed import join
    from omnishot.runs.load import evaluate
    from omnishot.runs.run import Run

    own = ("run", "table", "json", "func", "command", "default", "retrieve", "gallery", "right")
    options = {name: value for name, value in vars(args).items() if name not in own}
    if args.retrieve is not None:
        common = {name: options.pop(name) for name in ("episodes", "split", "seed")}
        for name, value in options.items():
            if value != args.default(name):
                raise UsageError(f"--retrieve does not learn tasks: leave out --{name.replace('_', '-')}")
        evaluation = Run.load(args.run).retrieval(
            args.retrieve, args.table, gallery=args.gallery, right=args.right, **common
        )
    elif args.gallery is not None or args.right != args.default("right"):
        raise UsageError("--gallery and --right are about retrieval: give the inputs too (--retrieve INPUT,INPUT)")
    else:
        evaluation = evaluate(args.run, args.table, progress=on_terminal(), **options)
    if join().rank:
        return
    if args.json:
        print_json(evaluation.to_json())
    else:
        print(evaluation)
