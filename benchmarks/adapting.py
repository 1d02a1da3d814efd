"""Milliseconds to adapt to a new task and to predict: 5-way 5-shot on glyphs (picture, sound and text).

    python benchmarks/adapting.py

generates the world, trains a prototypical network and MAML (5 inner steps) for one step, since what the weights are
does not matter for the time, and measures on letters of the test part:

- from cached cells: 25 support rows, decoded before and memory-mapped, to an adapted state, and that to the answers of
  5 (one a class) or 75 query rows;
- the network's passes that this takes, alone, and the time its multiplications would take at the speed of a large
  matrix product: what is left to gain;
- from a DataFrame or a list of dicts whose cells are file contents: `Run.adapt(rows).predict(rows)`, checks and
  decoding included;
- `Model.predict` of many rows.

Before anything is timed, the answers from cached cells must be those of `Model.predict`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import timing
import torch
from torch.utils.flop_counter import FlopCounterMode

import omnishot as om
from omnishot.episodes.rows import Rows
from omnishot.episodes.store import Store
from omnishot.learners.base import Learner
from omnishot.table.table import Table
from omnishot.worlds import make

WAYS, SHOTS, QUERIES, INNER_STEPS = 5, 5, 15, 5
REQUIRED = {"protonet": 5.0, "maml": 50.0}  # milliseconds, with one query row a class
MANY = 1000
PRODUCT = 1024  # rows and columns of the matrix product that stands for the machine's speed


def world(folder: Path) -> Path:
    """The table of the world."""
    return make("glyphs", folder / "glyphs.parquet", alphabets=6, rows_per_letter=SHOTS + QUERIES, sound=True)


def trained(table: Path, learner: str, folder: Path) -> om.Run:
    """A run of one step."""
    own = {"inner_steps": INNER_STEPS, "head": "prototype"} if learner == "maml" else {}
    return om.train(
        table, target="letter", learner=learner, ways=WAYS, shots=SHOTS, tasks=1, steps=1, val_every=1, val_episodes=2,
        device="cpu", out=folder / learner, **own,
    )  # fmt: skip


def task(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of five test letters: support `[25]` and query `[75]`, one row a class first."""
    letters = table.frame["letter"][table.frame["split"] == "test"].unique()[:WAYS]
    rows = np.stack([np.flatnonzero(table.frame["letter"] == letter) for letter in sorted(letters)])
    return rows[:, :SHOTS].ravel(), rows[:, SHOTS : SHOTS + QUERIES].T.ravel()


def from_cache(learner: Learner, store: Store, support: np.ndarray, query: np.ndarray) -> torch.Tensor:
    """Adapt to cached support rows, ordered by class, and answer cached query rows, `[rows, ways]`."""
    cells = store.gather(support)
    target = torch.arange(WAYS).repeat_interleave(len(support) // WAYS)
    state = learner.adapt(Rows(cells.inputs, cells.present, target, ways=WAYS))
    cells = store.gather(query)
    return learner.answer(state, Rows(cells.inputs, cells.present, ways=WAYS))


def passes(learner: Learner, store: Store, support: np.ndarray, query: np.ndarray) -> Callable[[], None]:
    """What `from_cache` asks of the network, and nothing else: it runs forward, and for MAML backward."""
    shown, unlabelled = store.gather(support), store.gather(query)
    network, steps = learner.network, learner.steps or 0
    parameters = list(network.parameters())

    def run() -> None:
        with torch.no_grad():
            network(shown)
        for _ in range(steps):
            torch.autograd.grad(network(shown).sum(), parameters, allow_unused=True)
        with torch.no_grad():
            network(unlabelled)

    return run


def arithmetic(run: Callable[[], object]) -> float:
    """Floating-point operations of the convolutions and matrix products of a run."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


def time_learner(run: om.Run, table: Table, rounds: int) -> list[dict]:
    """Records of one learner."""
    name, learner = run.config.learner, run.learner
    store, (support, query) = run.dataset().store, task(table)
    frame = table.frame.drop(columns="split")
    shown, unlabelled = frame.iloc[support], frame.drop(columns="letter").iloc[query]
    few, dicts = unlabelled[:WAYS], (shown.to_dict("records"), unlabelled[:WAYS].to_dict("records"))
    model, many = run.adapt(shown), pd.concat([unlabelled] * (MANY // len(unlabelled) + 1))[:MANY]

    classes = model.classes_[from_cache(learner, store, support, query).argmax(-1)]
    if classes.tolist() != model.predict(unlabelled).tolist():
        raise SystemExit(f"{name} answers otherwise from cached cells: nothing to compare")

    product = torch.randn(PRODUCT, PRODUCT)
    seconds = timing.interleave(
        {
            "cached cells, 5 queries": lambda: from_cache(learner, store, support, query[:WAYS]),
            "cached cells, 75 queries": lambda: from_cache(learner, store, support, query),
            "the network's passes alone, 5 queries": passes(learner, store, support, query[:WAYS]),
            "DataFrame, 5 queries": lambda: run.adapt(shown).predict(few),
            "list of dicts, 5 queries": lambda: run.adapt(dicts[0]).predict(dicts[1]),
            "DataFrame, 75 queries": lambda: run.adapt(shown).predict(unlabelled),
            "product": lambda: product @ product,
        },
        rounds,
        warmup=3,
    )
    speed = 2 * PRODUCT**3 / np.median(seconds.pop("product"))
    title = f"adapt + predict, 5-way 5-shot, glyphs, {name}"
    limit = {"cached cells, 5 queries": REQUIRED[name]}
    records = [timing.figure(title, who, 1e3 * own, "ms", at_most=limit.get(who)) for who, own in seconds.items()]
    work = arithmetic(passes(learner, store, support, query[:WAYS]))
    what = f"{work / 1e9:.2f} GFLOP at {speed / 1e9:.0f} GFLOP/s"
    records.append(timing.figure(title, what, [1e3 * work / speed], "ms"))
    predicted = timing.interleave({"many": lambda: model.predict(many)}, max(1, rounds // 10))["many"]
    return [*records, timing.figure(f"predict {MANY:,} rows, glyphs, {name}", "DataFrame", MANY / predicted, "rows/s")]


def main() -> None:
    args = timing.arguments(__doc__, rounds=30).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["OMNISHOT_CACHE"] = str(folder / "cache")
        path = world(folder)
        table = om.read_table(path, target="letter")
        records = [r for learner in REQUIRED for r in time_learner(trained(path, learner, folder), table, args.rounds)]
    timing.report(args, records, ("omnishot",))


if __name__ == "__main__":
    main()
