"""avMNIST as in SMIL: what the sound of some training rows adds to telling digits by their images, in two tables.

    python benchmarks/avmnist/run.py DIR --out runs

DIR holds the folders `mnist` and `fsdd` with their published files. Every training (table, share of rows with sound,
seed) is kept as soon as it is done, and an interrupted one goes on from its last checkpoint: the same command goes on
where it was stopped. `--validate` measures on held-out fifths of the training rows instead; the test rows are read by
the trainings without it, at their end. The README is written from all results.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import torch
from data import Digits, digits
from page import page
from recipes import RECIPES
from results import FOLDS, HERE, SEEDS, SETS, Results
from training import accuracy, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="holds mnist and fsdd as published")
    parser.add_argument("--tables", nargs="+", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--shares", nargs="+", type=float, help="of rows with sound, if not all of the table's")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--validate", action="store_true", help="on held-out fifths of the training rows")
    parser.add_argument("--out", type=Path, default=Path("runs/avmnist"), help="where trainings are while they last")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.folder:
        args.out.mkdir(parents=True, exist_ok=True)
        data = digits(args.folder, args.out / "avmnist.parquet")
        turns = range(FOLDS if args.validate else args.seeds)
        for turn in turns:  # every share's first seed comes first, so that comparisons grow evenly
            for name in args.tables:
                for fraction in args.shares or RECIPES[name].shares:
                    train_and_score(Results(args.results, name, fraction, args.validate), data, turn, args.out)
    if args.results == HERE / "results":
        (HERE / "README.md").write_text(page(args.results), encoding="utf-8")


def train_and_score(results: Results, data: Digits, turn: int, out: Path) -> None:
    """Train with this seed, or without this fold, unless it is done; keep the figures."""
    if turn in results.turns:
        return
    recipe = RECIPES[results.table]
    if results.validate:
        part, held = data.without(turn, FOLDS)
        sets = {"held out": held}
    else:
        part, sets = data, {name: getattr(data, name) for name in SETS}
    part = part.with_sound(results.fraction, turn)
    began, folder = time.perf_counter(), out / f"{results.name}-{turn}"
    learner = train(part, recipe, turn, folder)
    right = {name: accuracy(learner, part, rows, recipe) for name, rows in sets.items()}
    results.add(turn, right, time.perf_counter() - began)
    shutil.rmtree(folder)
    print(results.name, results.of[-1], flush=True)


if __name__ == "__main__":
    main()
