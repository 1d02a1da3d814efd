"""The world `functions`: a task is a function of one number, from one of several different families."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from omnishot.errors import UsageError, choose
from omnishot.table.writing import write_frame
from omnishot.worlds.ranges import check_range

REACH = 5.0  # x lies between -REACH and REACH
PARTS = ("val", "test", "test", *("train",) * 7)  # the tasks of a family take these splits in turn


def _sinusoids(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """y = a sin(x - phase), with a 0.1 to 5 and phase 0 to pi (Finn et al. 2017, §5.1)."""
    amplitude, phase = rng.uniform(0.1, 5.0), rng.uniform(0, np.pi)
    return amplitude * np.sin(x - phase)


def _lines(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """y = slope x + intercept, both -3 to 3 (Vuorio et al. 2019, regression tasks)."""
    slope, intercept = rng.uniform(-3, 3, 2)
    return slope * x + intercept


def _quadratics(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """y = ±a (x - c)² + b, with a 0.02 to 0.15, b and c -3 to 3 (Vuorio et al. 2019, regression tasks)."""
    steepness = rng.uniform(0.02, 0.15) * rng.choice([-1, 1])
    centre, height = rng.uniform(-3, 3, 2)
    return steepness * (x - centre) ** 2 + height


#: Functions `(rng, x [rows]) -> y [rows]`, the same function at all rows.
FAMILIES: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "sinusoids": _sinusoids,
    "lines": _lines,
    "quadratics": _quadratics,
}


def draw(rng: np.random.Generator, family: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A function of a family at random places, as x `[rows]` and y `[rows]`."""
    x = rng.uniform(-REACH, REACH, rows)
    return x, FAMILIES[family](rng, x)


def make(
    out: str | Path,
    *,
    seed: int = 0,
    families: str = "sinusoids",
    tasks: int = 1000,
    rows_per_task: int = 20,
    noise: float = 0.0,
) -> Path:
    """Functions of one number: sinusoids, lines and quadratics, each a task of its own.

    Columns: `x` (-5 to 5), `y` (the target), `task` (the group), `_family` (a note), `split` (seven tenths of the
    tasks of each family train, one val, two test). The same seed and options give the same table.

    Args:
        out: the table to write.
        seed: of everything random, 0 or more.
        families: joined by commas; the tasks take them in turn.
        tasks: how many functions, 3 or more of each family.
        rows_per_task: values of each function.
        noise: standard deviation of Gaussian noise on y (0.3 in Vuorio et al. 2019).

    Raises:
        UsageError: for an unknown family or a number out of range.

    Paper: Vuorio et al., Multimodal Model-Agnostic Meta-Learning via Task-Aware Modulation, NeurIPS 2019
    """
    names = [choose("family", name.strip(), FAMILIES) for name in families.split(",")]
    if len(set(names)) < len(names):
        raise UsageError(f"families = {families!r} names one twice")
    check_range("seed", seed, 0)
    if tasks < 3 * len(names):
        raise UsageError(f"tasks must be {3 * len(names)} or more, 3 of each family, not {tasks}")
    check_range("rows_per_task", rows_per_task, 1)
    if not 0 <= noise < np.inf:
        raise UsageError(f"noise must be 0 or more, and finite, not {noise}")
    return write_frame(
        pd.concat([_task(seed, i, names, rows_per_task, noise) for i in range(tasks)], ignore_index=True), out
    )


def _task(seed: int, task: int, families: list[str], rows: int, noise: float) -> pd.DataFrame:
    """A task. Every task has its own generator, so that a larger number of tasks leaves the first ones unchanged."""
    rng = np.random.default_rng([seed, task])
    round_, turn = divmod(task, len(families))
    x, y = draw(rng, families[turn], rows)
    cells = {"x": x, "y": y + noise * rng.standard_normal(rows), "task": f"f{task:06d}"}
    return pd.DataFrame(cells | {"_family": families[turn], "split": PARTS[round_ % len(PARTS)]})
