"""How `omnishot check` and the sampling of episodes fare with large tables.

    python benchmarks/large_table.py

generates tables of 10⁴, 10⁵ and 10⁶ rows (texts and numbers, ten rows a class) and measures what `omnishot check`
takes in a process of its own (seconds, peak memory) and what drawing an episode takes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import timing

from omnishot.episodes.tasks import ClassTasks
from omnishot.table.reading import read_table
from omnishot.table.splits import assign

WAYS, SHOTS, QUERIES = 5, 1, 5
ROWS_PER_CLASS = 10
DRAWS = 2000
WORDS = np.array([a + b for a in ("ba", "ke", "lo", "mi", "nu", "ra", "so") for b in ("den", "fir", "gal", "ton")])


def generate(path: Path, rows: int) -> Path:
    """A CSV file of `rows` rows: `text` of eight words, numbers `length` and `mass` (a tenth missing), `kind`."""
    rng = np.random.default_rng(0)
    kinds = np.arange(rows) % (rows // ROWS_PER_CLASS)
    words = WORDS[rng.integers(len(WORDS), size=(rows, 8))]
    mass = rng.normal(size=rows)
    mass[rng.random(rows) < 0.1] = np.nan
    frame = pd.DataFrame(
        {
            "text": [" ".join(row) for row in words],
            "length": rng.normal(kinds % 97, 1.0).round(3),
            "mass": mass.round(3),
            "kind": np.char.add("kind ", kinds.astype(str)),
        }
    )
    frame.iloc[rng.permutation(rows)].to_csv(path, index=False)
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


def sampling(path: Path) -> np.ndarray:
    """Milliseconds to draw one episode of the training part, `[draws]`."""
    table = read_table(path, target="kind")
    rows = np.flatnonzero(assign(table, 0) == "train")
    source = ClassTasks(table.labels[0][rows], rows)
    rng = np.random.default_rng(0)
    seconds = []
    for _ in range(DRAWS):
        began = time.perf_counter()
        source.draw(rng, 1, WAYS, SHOTS, QUERIES)
        seconds.append(time.perf_counter() - began)
    return 1000 * np.array(seconds)


def main() -> None:
    parser = timing.arguments(__doc__, rounds=1)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    args = parser.parse_args()
    records = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in args.rows:
            path = generate(Path(folder) / f"{rows}.csv", rows)
            seconds, memory = zip(*(check(path, Path(folder)) for _ in range(args.rounds)), strict=True)
            title = f"{rows:,} rows, {rows // ROWS_PER_CLASS:,} classes"
            records += [
                timing.figure(title, "omnishot check", seconds, "s"),
                timing.figure(title, "its peak memory", memory, "GB"),
                timing.figure(title, "drawing an episode", sampling(path), "ms"),
            ]
    timing.report(args, records, ("omnishot", "pandas", "pyarrow"))


if __name__ == "__main__":
    main()
