"""avMNIST as in SMIL: what the sound of some training rows adds to telling digits by their images, in two tables.

    python benchmarks/avmnist/run.py DIR --out runs

DIR holds the folders `mnist` and `fsdd` with their published files. Every training (table, share of rows with sound,
seed) is kept as soon as it is done, and an interrupted one goes on from its last checkpoint: the same command goes on
where it was stopped. `--validate` measures on held-out fifths of the training rows instead, by which recipes were
chosen; the test rows are read by the trainings without it, at their end. The README is written from all results.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aligned import Aligned
from data import AUDIO, DIGITS, IMAGE, Digits, SeenAndHeard, digits
from recipes import COMMON, IMAGES, PUBLISHED, RECIPES, Recipe
from scipy import stats

from omnishot.assembly import build_learner
from omnishot.config import Config, from_options
from omnishot.episodes.loader import Loader, Shape
from omnishot.episodes.store import matching_inputs
from omnishot.episodes.tasks import ClassTasks
from omnishot.learners.base import Learner
from omnishot.learners.finetune import FineTune
from omnishot.objectives.classify import Classify
from omnishot.training import meta_train

HERE = Path(__file__).parent
SEEDS, FOLDS = 10, 5
#: What a training is scored on, and what pages call it.
SETS = {"last": "450 test rows", "test": "all 10,000"}


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
                for share in args.shares or RECIPES[name].shares:
                    Results(args.results, name, share, args.validate).measure(data, turn, args.out)
    if args.results == HERE / "results":
        (HERE / "README.md").write_text(page(args.results), encoding="utf-8")


class Results:
    """The figures of one cell of a table, by seed or, in validation, by fold."""

    def __init__(self, folder: Path, table: str, share: float, validate: bool):
        self.table, self.share, self.validate = table, share, validate
        self.name = f"{'validation-' if validate else ''}{table}-{round(100 * share):03d}"
        self.path = folder / f"{self.name}.json"
        self.of: list[dict[str, Any]] = []
        if self.path.exists():
            saved = json.loads(self.path.read_text(encoding="utf-8"))
            if saved["recipe"] != self._recipe():
                raise SystemExit(f"{self.path} has figures of another recipe: move it away to measure anew")
            self.of = saved["trainings"]

    def measure(self, data: Digits, turn: int, out: Path) -> None:
        """Train with this seed, or without this fold, unless it is done; keep the figures."""
        if any(record["seed"] == turn for record in self.of):
            return
        if self.validate:
            part, held = data.without(turn, FOLDS)
            sets = {"held out": held}
        else:
            part, sets = data, {name: getattr(data, name) for name in SETS}
        part = part.with_sound(self.share, turn)
        began, folder = time.perf_counter(), out / f"{self.name}-{turn}"
        learner = train(part, RECIPES[self.table], turn, folder)
        record = {"seed": turn} | {
            name: accuracy(learner, part, rows, RECIPES[self.table]) for name, rows in sets.items()
        }
        self.of.append(record | {"seconds": round(time.perf_counter() - began)})
        self._save()
        shutil.rmtree(folder)
        print(self.name, self.of[-1], flush=True)

    def _save(self) -> None:
        names = [name for name in self.of[0] if name not in ("seed", "seconds")]
        figures = [{"metric": "accuracy", "rows": n} | _figure([r[n] for r in self.of]) for n in names]
        about = {"table": self.table, "sound": self.share, "recipe": self._recipe(), "figures": figures}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(about | {"trainings": self.of}, indent=2) + "\n", encoding="utf-8")
        partial.replace(self.path)

    def _recipe(self) -> dict[str, Any]:
        return json.loads(json.dumps(options(RECIPES[self.table], self.share > 0)))


def options(recipe: Recipe, sound: bool) -> dict[str, Any]:
    """What `omnishot train` would be told of the images' part, and with sound what is beside it."""
    said = COMMON | recipe.options | {IMAGE: recipe.image, "shots": IMAGES // 2, "queries": IMAGES // 2}
    if not sound:
        return said
    return said | {"shots": IMAGES, "queries": recipe.sounds, AUDIO: recipe.audio, "auxiliary": recipe.weights}


def train(data: Digits, recipe: Recipe, seed: int, folder: Path) -> Learner:
    """Train on the training rows, from where an interrupted training stands."""
    store = data.store
    sound = AUDIO in store.modalities
    kinds = {name: m.cell_kind for name, m in store.modalities.items()}
    config = from_options(options(recipe, sound) | {"seed": seed}, kinds)
    images = {IMAGE: store.modalities[IMAGE]}
    learner = build_learner(dataclasses.replace(config, auxiliary={}), images, Classify(), DIGITS, DIGITS)
    if sound:
        assert isinstance(learner, FineTune)
        learner = Aligned.of(learner, store.modalities[AUDIO], config.inputs[AUDIO], config.auxiliary, seed)
    loader = _loader(data, config, sound)
    meta_train(learner, loader, None, config, folder, resume=True, progress=False)
    return learner


def _loader(data: Digits, config: Config, sound: bool) -> Loader:
    """Images alone: support and query rows are drawn alike. With sound: support rows are images, query rows sounds."""
    shape = Shape(1, DIGITS, config.shots, config.queries or 1)
    augment = matching_inputs(config.augment, data.store.modalities)
    if not sound:
        source = ClassTasks(data.digit[data.train], data.train)
        return Loader(data.store, source, shape, config.seed, data.digit, augment=augment)
    heard = SeenAndHeard(data)
    apart = {"support_inputs": (IMAGE,), "query_inputs": (AUDIO,)}
    return Loader(data.store, heard, shape, config.seed, data.digit, augment=augment, **apart)  # type: ignore[arg-type]


def accuracy(learner: Learner, data: Digits, rows: np.ndarray, recipe: Recipe, part: int = 1000) -> float:
    """Of the images of these rows, without any sound."""
    loader = Loader(data.store, ClassTasks(data.digit[data.train], data.train), Shape(1, DIGITS, 1, 1))
    state = learner.adapt(loader.batch(0).support.task(0))  # no step is taken: the trained network and its head
    right = 0
    for start in range(0, len(rows), part):
        chosen = rows[start : start + part]
        seen = data.store.gather(chosen)
        seen.present[:, list(data.store.modalities).index(IMAGE) + 1 :] = False
        told = learner.answer(state, seen).softmax(-1)
        for view in range(recipe.views):
            varied = data.store.inputs(chosen, augment={IMAGE: recipe.options["augment"][IMAGE] / 2}, seed=view)
            told = told + learner.answer(state, dataclasses.replace(seen, inputs=varied)).softmax(-1)
        right += int((told.argmax(-1).numpy() == data.digit[chosen]).sum())
    return right / len(rows)


# -- the page ----------------------------------------------------------------------------------------------


def _figure(values: Sequence[float]) -> dict[str, Any]:
    """Mean over trainings and half of its 95% interval (Student's t)."""
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else None
    return {"mean": float(np.mean(values)), "ci95": half, "trainings": n}


def gain(results: Results, alone: Results, rows: str) -> dict[str, Any] | None:
    """What sound adds, over the seeds that both have."""
    pairs = {record["seed"]: record[rows] for record in alone.of}
    off = [record[rows] - pairs[record["seed"]] for record in results.of if record["seed"] in pairs]
    return _figure(off) if off else None


def page(folder: Path) -> str:
    """The README."""
    text = (HERE / "about.md").read_text(encoding="utf-8")
    for name, recipe in RECIPES.items():
        of = {share: Results(folder, name, share, False) for share in recipe.shares}
        validated = {share: Results(folder, name, share, True) for share in recipe.shares}
        text = text.replace(f"TABLE {name}", "\n".join(table(of, validated)))
    return text


def table(of: dict[float, Results], validated: dict[float, Results]) -> list[str]:
    """A row for each share of sound, that of the images alone first."""
    lines = [
        "| sound | 450 test rows | gain | all 10,000 | gain | held-out training rows | published, 450 | trainings |"
    ]
    lines += ["|---" * 8 + "|"]
    for share, results in of.items():
        if not results.of:
            continue
        cells = [f"{100 * share:.0f}%" if share else "none"]
        for rows in SETS:
            cells.append(_said(_figure([record[rows] for record in results.of])))
            cells.append(_said(gain(results, of[0.0], rows), sign="+") if share else "")
        held = [record["held out"] for record in validated[share].of]
        papers = [f"{who.split(',')[0]} {at[share]:.2f}" for who, at in PUBLISHED.items() if share in at]
        seconds = np.mean([record["seconds"] for record in results.of])
        cells += [f"{100 * np.mean(held):.2f}" if held else "–", ", ".join(papers) or "–"]
        lines.append(f"| {' | '.join(cells)} | {len(results.of)} of {seconds:.0f} s |")
    return lines


def _said(figure: dict[str, Any] | None, sign: str = "") -> str:
    if figure is None:
        return "–"
    half = "" if figure["ci95"] is None else f" ± {100 * figure['ci95']:.2f}"
    return f"{100 * figure['mean']:{sign}.2f}{half}"


if __name__ == "__main__":
    main()
