"""`omnishot robustness`: how figures fall as inputs are corrupted."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import on_terminal, print_json, say
from omnishot.cli.parsing import names, numbers

DESCRIPTION = """\
Measure a run, or several on the same tasks, under noise of every level, failures of sensors and attacks; print and plot
the figures with intervals. Noise and failures are of support and query rows alike, attacks of the query rows.

  omnishot robustness runs/plain runs/hardened --attack fgsm,pgd --epsilons photo=0.01,0.03 --out robustness.html"""


class Radii(argparse.Action):
    """`R,R` for every input, or `INPUT=R,R` for one; several times for several."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        place, equals, radii = values.rpartition("=")
        before = getattr(namespace, self.dest)
        try:
            own = numbers(radii)
        except ValueError:
            parser.error(f"{option_string} takes {self.metavar}, not {values!r}")
        if before is not None and not (equals and isinstance(before, dict)):
            parser.error(f"{option_string} takes one list for all inputs, or one for each by its name, not both")
        setattr(namespace, self.dest, {**(before or {}), place: own} if equals else own)


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("robustness", help="how figures fall under noise, failures and attacks")
    parser.description = DESCRIPTION
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run folders; several of the same table are compared")
    parser.add_argument(
        "--out", required=True, metavar="PAGE.html", help="the page; beside it PAGE.json, and the curves as PAGE.png"
    )
    parser.add_argument("--levels", type=numbers, metavar="L,L", help="of noise, 0…1 (0,0.25,0.5,0.75,1)")
    parser.add_argument("--inputs", type=names, metavar="INPUT,INPUT", help="the corrupted inputs (each, and all)")
    parser.add_argument(
        "--failures", type=names, metavar="KIND,KIND", help="dead, frozen, swapped, delayed (all that an input has)"
    )
    parser.add_argument("--attack", type=names, dest="attacks", metavar="A,B", help="fgsm, pgd (none)")
    parser.add_argument(
        "--epsilons", action=Radii, metavar="[INPUT=]R,R",
        help="the radius of attacks, in the units of `omnishot evaluate --epsilon`; may be repeated (by kind of input)",
    )  # fmt: skip
    parser.add_argument("--attack-steps", type=int, metavar="N", help="of pgd (10)")
    parser.add_argument("--ways", type=int, metavar="N", help="classes a task (as the first run was trained)")
    parser.add_argument("--shots", type=int, metavar="N", help="support rows a class (likewise)")
    parser.add_argument("--queries", type=int, metavar="N", help="query rows a class (15, or fewer)")
    parser.add_argument("--episodes", type=int, metavar="N", help="tasks (200)")
    parser.add_argument("--split", metavar="PART", help="train, val or test (test)")
    parser.add_argument("--seed", type=int, metavar="N", help="of the tasks (0)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(func=_robustness)


def _robustness(args: argparse.Namespace) -> None:
    from omnishot.analysis.robustness.sweep import robustness

    own = ("runs", "json", "func", "command")
    options = {name: value for name, value in vars(args).items() if name not in own and value is not None}
    result = robustness(args.runs, progress=on_terminal(), **options)
    if args.json:
        print_json(result.to_json())
    else:
        print(result)
    say(f"the page is {args.out}")
