"""Figures of avMNIST, kept in a file for each cell of a table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from recipes import RECIPES, options
from scipy import stats

HERE = Path(__file__).parent
SEEDS, FOLDS = 10, 5
#: What a training is scored on, and what pages call it.
SETS = {"last": "450 test rows", "test": "all 10,000"}


class Results:
    """The figures of one cell of a table, by seed or, in validation, by fold."""

    def __init__(self, folder: Path, table: str, fraction: float, validate: bool):
        self.table, self.fraction, self.validate = table, fraction, validate
        self.name = f"{'validation-' if validate else ''}{table}-{round(100 * fraction):03d}"
        self.path = folder / f"{self.name}.json"
        self.of: list[dict[str, Any]] = []
        if self.path.exists():
            saved = json.loads(self.path.read_text(encoding="utf-8"))
            if saved["recipe"] != self._recipe():
                raise SystemExit(f"{self.path} has figures of another recipe: move it away to measure anew")
            self.of = saved["trainings"]

    @property
    def turns(self) -> list[int]:
        """Seeds, or folds, that are measured."""
        return [record["seed"] for record in self.of]

    def add(self, turn: int, right: Mapping[str, float], seconds: float) -> None:
        """Keep the accuracies of one training."""
        self.of.append({"seed": turn, **right, "seconds": round(seconds)})
        self._save()

    def _save(self) -> None:
        names = [name for name in self.of[0] if name not in ("seed", "seconds")]
        figures = [{"metric": "accuracy", "rows": n} | figure([r[n] for r in self.of]) for n in names]
        about = {"table": self.table, "sound": self.fraction, "recipe": self._recipe(), "figures": figures}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(about | {"trainings": self.of}, indent=2) + "\n", encoding="utf-8")
        partial.replace(self.path)

    def _recipe(self) -> dict[str, Any]:
        return json.loads(json.dumps(options(RECIPES[self.table], self.fraction > 0)))


def figure(values: Sequence[float]) -> dict[str, Any]:
    """Mean over trainings and half of its 95% interval (Student's t)."""
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else None
    return {"mean": float(np.mean(values)), "ci95": half, "trainings": n}


def improvement(results: Results, alone: Results, rows: str) -> dict[str, Any] | None:
    """What sound adds, over the seeds that both have."""
    pairs = {record["seed"]: record[rows] for record in alone.of}
    off = [record[rows] - pairs[record["seed"]] for record in results.of if record["seed"] in pairs]
    return figure(off) if off else None
