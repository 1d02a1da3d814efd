"""`omnishot search`: the rows of a table that are nearest to words or a file."""

from __future__ import annotations

import argparse
import json
from typing import Any

from omnishot.cli.output import on_terminal, print_json, say
from omnishot.errors import UsageError


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("search", help="the rows of a table that are nearest to words or a file")
    parser.description = (
        "Find rows by another of their inputs: images by words, descriptions by a sound. Train with\n"
        "--auxiliary infonce=1 (or sigmoid=1), which brings the inputs of a row together."
    )
    parser.add_argument("of", metavar="RUN|MODEL.omni", help="a run folder or a model")
    parser.add_argument("table", metavar="TABLE", help=".csv, .tsv, .jsonl or .parquet; it needs no target")
    parser.add_argument(
        "--query", required=True, action="append", metavar="WORDS|FILE",
        help='words, a file, or a row of one input as JSON ({"weight": 3}); may be repeated',
    )  # fmt: skip
    parser.add_argument(
        "--input",
        metavar="NAME",
        help="which input the query is (words: the first text; a file: the first of its kind)",
    )
    parser.add_argument(
        "--by", metavar="NAME", help="the input that rows are found by (the first other one that the table has)"
    )
    parser.add_argument("--top", type=int, default=10, metavar="N", help="rows (%(default)s)")
    parser.add_argument(
        "--exact", action="store_true", help="compare every row, and not by an index where there are more than 100,000"
    )
    parser.add_argument("--json", action="store_true", help="print a list with a record for each query")
    parser.set_defaults(func=_search)


def _search(args: argparse.Namespace) -> None:
    from omnishot.analysis.search.gallery import gallery_for
    from omnishot.runs.load import load

    of, queries = load(args.of), [_read(text) for text in args.query]
    exact = True if args.exact else None
    gallery = gallery_for(of, args.table, queries[0], args.input, args.by, exact, progress=on_terminal())
    for cell in gallery.bad:
        say(f"omnishot: warning: {args.table}, {cell}; not searched")
    results = [gallery.search(query, args.input, args.top) for query in queries]
    if args.json:
        print_json([each.to_json() for each in results])
    else:
        print("\n\n".join(map(str, results)))


def _read(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"the query {text!r} begins as a row in JSON does, and is none: {error}") from None
