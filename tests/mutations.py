"""Break the source on purpose, one mistake at a time, and see that a test notices: `python tests/mutations.py`.

Every mutation replaces one piece of a source file in a copy of the repository and runs the tests named beside it. One
that no test notices is a survivor; the last line counts them, and the exit status is 1 if there is any. Not part of CI's
default path: all of it takes some minutes on two cores.

    python tests/mutations.py                 # all of them
    python tests/mutations.py create_graph    # those whose name holds the word
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Mutation(NamedTuple):
    """A mistake: in `file` (below src/omnishot), `old`, which stands there once, becomes `new`; `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTATIONS: list[Mutation] = []


def copy_of_the_repository(folder: Path) -> Path:
    """What the tests need of the repository, in `folder`."""
    for name in ("src", "tests", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def survives(mutation: Mutation, copy: Path) -> bool:
    """Whether the tests pass all the same.

    Raises:
        ValueError: if what is to be replaced does not stand in the file exactly once.
    """
    path = copy / "src" / "omnishot" / mutation.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.name}: {mutation.file} holds {mutation.old!r} {text.count(mutation.old)} times")
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutation.tests.split()]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(copy / "src")}
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=600)
        if done.returncode not in (0, 1):
            raise ValueError(f"{mutation.name}: the tests did not run\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.returncode == 0
    finally:
        path.write_text(text, encoding="utf-8")


def run(mutations: list[Mutation], workers: int) -> list[str]:
    """The names of the survivors; one line is printed for each mutation."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for i in range(workers):
            copies.put(copy_of_the_repository(Path(folder) / str(i)))

        def one(mutation: Mutation) -> str | None:
            copy = copies.get()
            try:
                alive = survives(mutation, copy)
            finally:
                copies.put(copy)
            print(f"{'SURVIVES' if alive else 'noticed '}  {mutation.name}", flush=True)
            return mutation.name if alive else None

        return [name for name in pool.map(one, mutations) if name]


def main() -> int:
    """Run the mutations that are asked for; 1 if one survives."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("word", nargs="?", default="", help="only mutations whose name holds this")
    parser.add_argument("--workers", type=int, default=2, help="copies of the repository that run side by side")
    options = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if options.word in mutation.name]
    survivors = run(chosen, options.workers)
    print(f"{len(chosen)} mutations, {len(survivors)} survive" + "".join(f"\n  {name}" for name in survivors))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
