"""`omnishot explain`: why a run or a model predicts as it does."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import print_json, say


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("explain", help="why a run or a model predicts as it does, as a page")
    parser.description = (
        "Write one HTML file that shows, row by row, how much each input moved the prediction (Shapley values), which\n"
        "rows it is most similar to, which inputs carry the same information, and what adapting changed in the\n"
        "network.\n"
        "RUN alone: a task drawn from its validation part (test part if there is none). RUN TABLE: its labelled rows\n"
        "are learned from, the others predicted; if all are labelled, a task is drawn. MODEL.omni TABLE: the rows are\n"
        "predicted by the model."
    )
    parser.add_argument("of", metavar="RUN|MODEL.omni", help="a run folder or a model")
    parser.add_argument("table", metavar="TABLE", nargs="?", help=".csv, .tsv, .jsonl or .parquet")
    parser.add_argument(
        "--support", metavar="SUPPORT",
        help="labelled rows to learn from, or that the model was adapted to (it does not hold them)",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="FILE.html", help="default: explain.html in the run folder, or MODEL.html beside the model"
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
    explanation = explain(of, args.table, out=out, **options)
    for note in explanation.task.notes:
        say(f"omnishot: warning: {note}")
    if args.json:
        print_json(explanation.to_json())
    say(f"{out} explains {explanation.task.description}")
