"""How `omnishot check` and the sampling of episodes fare with large tables.

    python benchmarks/large_table.py

generates decoded tables of 10⁴ to 10⁷ rows (64 bytes each, memory-mapped, ten rows a class) and measures what drawing
and gathering a meta-batch takes, the sizes in turn, and what memory it takes in a process of its own beside the index
of the rows by class; then tables of 10⁴ to 10⁶ rows (CSV files of texts and numbers, ten rows a class), and measures
what `omnishot check` takes in a process of its own.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import timing

from omnishot.episodes.loader import Loader, Shape
from omnishot.episodes.store import Store
from omnishot.episodes.tasks import ClassTasks
from omnishot.modality.series import Series

TASKS, WAYS, SHOTS, QUERIES = 16, 5, 1, 5
ROWS_PER_CLASS = 10
DRAWS = 200
PART = 1 << 18  # rows generated at a time
SERIES = Series(8, 1, (0.0,), (1.0,))  # a cell is 64 bytes
WORDS = np.array([a + b for a in ("ba", "ke", "lo", "mi", "nu", "ra", "so") for b in ("den", "fir", "gal", "ton")])


def decode(folder: Path, rows: int) -> Path:
    """A file of `rows` decoded cells of noise."""
    path, rng = folder / f"{rows}.bin", np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, rows, PART):
            file.write(rng.normal(size=(min(PART, rows - start), *SERIES.shape)).astype(np.float32).tobytes())
    return path


def loader(path: Path, rows: int) -> Loader:
    """Meta-batches of a decoded table whose classes lie scattered."""
    cells = np.memmap(path, np.float32, "r", shape=(rows, *SERIES.shape))
    codes = np.random.default_rng(0).permutation(np.arange(rows, dtype=np.int32) % (rows // ROWS_PER_CLASS))
    store = Store({"sensor": SERIES}, {"sensor": cells}, np.ones((rows, 1), bool))
    return Loader(store, ClassTasks(codes, np.arange(rows)), Shape(TASKS, WAYS, SHOTS, QUERIES))


def sampling(paths: Mapping[int, Path], rounds: int) -> list[dict]:
    """Meta-batches drawn and gathered a second, by size of the table."""

    def run(made: Loader) -> Callable[[], None]:
        steps = itertools.count()
        return lambda: [made.batch(next(steps)) for _ in range(DRAWS)] and None

    smallest = min(paths)
    runs = {f"{rows:,} rows": run(loader(path, rows)) for rows, path in sorted(paths.items(), reverse=True)}
    # The first rounds map the file's pages.
    seconds = timing.interleave(runs, rounds, warmup=5)
    return timing.compare(
        f"drawing and gathering, {TASKS} tasks", "batches", DRAWS, seconds, f"{smallest:,} rows", at_least=1 / 1.2
    )


def memory(path: Path, rows: int) -> tuple[float, float]:
    """Megabytes of the index, and by how much the memory of this process grows while episodes are drawn."""
    made = loader(path, rows)
    index = made.source.index  # type: ignore[union-attr]
    for step in range(20):
        made.batch(step)
    before = own_memory()
    for step in range(DRAWS):
        made.batch(step)
    return (index.order.nbytes + index.starts.nbytes + index.keys.nbytes) / 1e6, own_memory() - before


def own_memory() -> float:
    """Megabytes that this process holds, what is mapped from files left out (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) * 1024 / 1e6


def generate(path: Path, rows: int) -> Path:
    """A CSV file of `rows` rows: `text` of eight words, numbers `length` and `mass` (a tenth missing), `kind`."""
    rng = np.random.default_rng(0)
    kinds = rng.permutation(np.arange(rows, dtype=np.int32) % (rows // ROWS_PER_CLASS))
    for start in range(0, rows, PART):
        kind = kinds[start : start + PART]
        mass = rng.normal(size=len(kind))
        mass[rng.random(len(kind)) < 0.1] = np.nan
        frame = pd.DataFrame(
            {
                "text": [" ".join(row) for row in WORDS[rng.integers(len(WORDS), size=(len(kind), 8))]],
                "length": rng.normal(kind % 97, 1.0).round(3),
                "mass": mass.round(3),
                "kind": np.char.add("kind ", kind.astype(str)),
            }
        )
        frame.to_csv(path, index=False, header=not start, mode="a" if start else "w")
    return path


def check(path: Path, cache: Path) -> tuple[float, float]:
    """Seconds and peak GB of `omnishot check`, and its exit code must be 0."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "omnishot", "check", str(path), "--target", "kind"],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"OMNISHOT_CACHE": str(cache)},
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"omnishot check {path} failed: {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, usage.ru_maxrss * 1024 / 1e9


def main() -> None:
    parser = timing.arguments(__doc__, rounds=7)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--checked", type=int, nargs="*", default=[10_000, 100_000, 1_000_000], help="rows to check")
    args = parser.parse_args()
    records = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {rows: decode(folder, rows) for rows in args.rows}
        if paths:
            records += sampling(paths, args.rounds)
        for rows, path in paths.items():
            with get_context("spawn").Pool(1) as pool:
                index, growth = pool.apply(memory, (path, rows))
            records.append(timing.figure(title(rows), "index", [index], "MB"))
            records.append(timing.figure(title(rows), f"growth over {DRAWS} batches", [growth], "MB", at_most=10))
        for rows in args.checked:
            seconds, peak = check(generate(folder / f"{rows}.csv", rows), folder)
            records.append(timing.figure(title(rows), "omnishot check", [seconds], "s"))
            records.append(timing.figure(title(rows), "its peak memory", [peak], "GB"))
    timing.report(args, records, ("omnishot", "pandas", "pyarrow"))


def title(rows: int) -> str:
    """A table in words."""
    return f"{rows:,} rows, {rows // ROWS_PER_CLASS:,} classes"


if __name__ == "__main__":
    main()
