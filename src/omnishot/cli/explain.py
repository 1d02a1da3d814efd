"""`omnishot explain`: why a run or a model answers as it does."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import print_json, say


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("explain", help="why a run or a model answers as it does, as a page")
    parser.description = (
        "Write one HTML file that shows, row by row, how much each input moved the answer (Shapley values), which\n"
        "rows it is most like, which inputs say the same, and what learning the task changed in the network.\n"
        "RUN alone: a task drawn from its validation part (test part if there is none). RUN TABLE: its labelled rows\n"
        "are learned and the others answered; if all are labelled, a task is drawn. MODEL.omni TABLE: rows as the\n"
        "model answers them."
    )
    parser.add_argument("of", metavar="RUN|MODEL.omni", help="a run folder or a model")
    parser.add_argument("table", metavar="TABLE", nargs="?", help=".csv, .tsv, .jsonl or .parquet")
    parser.add_argument(
        "--support", metavar="SUPPORT",
        help="labelled rows to learn from, or that the model was adapted to (it does not hold them)",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="FILE.html", help="explain.html in the run folder, or MODEL.html beside the model, unless said"
    )
    parser.add_argument("--rows", type=int, default=6, metavar="N", help="rows shown one by one (%(default)s)")
    parser.add_argument("--ways", type=int, metavar="N", help="classes of a drawn task (as in training)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of a drawn task (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parser.set_defaults(func=_explain)


def _explain(args: argparse.Namespace) -> None:
    from pathlib import Path

    from omnishot.analysis.explain.explain import explain

    of = Path(args.of)
    out = args.out or (of / "explain.html" if of.is_dir() else of.with_suffix(".html"))
    options = {name: getattr(args, name) for name in ("support", "rows", "ways", "seed")}
    found = explain(of, args.table, out=out, **options)
    for note in found.task.notes:
        say(f"omnishot: warning: {note}")
    if args.json:
        print_json(found.to_json())
    say(f"{out} explains {found.task.description}")
