"""Seconds from starting a process to its end, for what needs no torch: help, lists, mistakes on the command line.

`import torch` alone, in a process of its own, stands beside them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import timing

KINDS = ("learners", "fusions", "encoders", "objectives", "worlds", "datasets")
COMMANDS: dict[str, tuple[str, ...]] = {
    "omnishot --help": ("--help",),
    "omnishot train --help": ("train", "--help"),
    **{f"omnishot list {kind}": ("list", kind) for kind in KINDS},
    "omnishot list learners --json": ("list", "learners", "--json"),
    "omnishot trian (no such command)": ("trian",),
    "omnishot data make, with a wrong option": ("data", "make", "glyphs", "--out", "t.csv", "--rows-per-leter", "3"),
}
REFERENCES = {"python -c pass": "pass", "import omnishot": "import omnishot", "import torch": "import torch"}
REQUIRED = 1.0


def ends(arguments: list[str], code: int) -> Callable[[], None]:
    """A run of a process of its own that must end with this exit code."""

    def run() -> None:
        done = subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
        if done.returncode != code:
            raise SystemExit(f"{arguments} ended with {done.returncode}: {done.stderr.decode()}")

    return run


def main() -> None:
    args = timing.arguments(__doc__, rounds=9).parse_args()
    runs = {name: ends(["-c", program], 0) for name, program in REFERENCES.items()} | {
        name: ends(["-m", "omnishot", *words], 2 if "wrong" in name or "no such" in name else 0)
        for name, words in COMMANDS.items()
    }
    seconds = timing.interleave(runs, args.rounds)
    records = [
        timing.figure("cold start", name, own, "s", at_most=REQUIRED if name in COMMANDS else None)
        for name, own in seconds.items()
    ]
    timing.report(args, records, ("omnishot",))


if __name__ == "__main__":
    main()
