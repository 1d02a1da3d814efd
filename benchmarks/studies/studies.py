"""What benchmarks that meta-train learners share: trainings that go on where they stopped, figures kept in a file."""

from __future__ import annotations

import argparse
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.func import vmap

from omnishot.episodes.loader import Loader
from omnishot.episodes.rows import Episode
from omnishot.errors import DataError
from omnishot.experiment.config import Config
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.objectives import OBJECTIVES
from omnishot.runs.run import Run
from omnishot.training.train import train
from omnishot.training.trainer import Trainer

RATES = (0.001, 0.003, 0.01, 0.03, 0.1)  # step sizes that validation chooses from


class Study(ABC):
    """The data and options of trainings; `tuning_steps`: steps of the short ones that choose an inner step size."""

    steps: int
    tuning_steps: int

    @abstractmethod
    def config(self, learner: str, options: dict[str, Any], steps: int) -> Config:
        """The options of a training."""

    @abstractmethod
    def build(self, learner: str, options: dict[str, Any]) -> Learner:
        """A fresh learner."""

    @abstractmethod
    def loaders(self) -> tuple[Loader, Loader]:
        """Meta-batches to train on, and validation tasks."""

    @abstractmethod
    def error(self, learner: Learner) -> float:
        """On validation tasks; what a step size is chosen by."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that figures depend on beside the learner."""


def names(objective: str) -> list[str]:
    """Every learner that serves an objective."""
    return [name for name in LEARNERS.names() if OBJECTIVES.load(objective).kind in LEARNERS.load(name).serves]


def trained(
    study: Study, name: str, fixed: dict[str, Any], folder: Path, minutes: float
) -> tuple[Learner, dict[str, Any]]:
    """A learner meta-trained by the study, from where an interrupted training stands; and a record of how.

    An inner step size that is not `fixed` is chosen from `RATES` and the learner's own, by short trainings and the
    error on validation tasks. `minutes` bounds the training itself (0: no bound).
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "decided.json"
    if not path.exists():
        path.write_text(json.dumps(_decide(study, name, fixed, folder / "tuning", minutes), indent=2))
    decided = json.loads(path.read_text())
    learner, seconds = _train(study, name, decided["options"], decided["steps"], folder / "run")
    if learner is None:
        raise DataError(f"the training of {name} diverged with {decided['options']}")
    return learner, {"learner": name} | decided | {"seconds": round(seconds, 1)}


def _decide(study: Study, name: str, fixed: dict[str, Any], folder: Path, minutes: float) -> dict[str, Any]:
    """The options and the number of steps of a training, and the results of the short trainings."""
    if not LEARNERS.load(name).meta_trained:
        return {"options": fixed, "steps": 0, "trials": {}}
    own, choice = LEARNERS.options(name), [fixed]
    if "inner_lr" in own and "inner_lr" not in fixed:
        choice = [fixed | {"inner_lr": rate} for rate in sorted({*RATES, own["inner_lr"]})]
    trials: dict[str, float] = {}
    slowest = 0.0
    for options in choice if len(choice) > 1 or minutes else []:
        learner, seconds = _train(study, name, options, study.tuning_steps, folder, short=True)
        slowest = max(slowest, seconds / study.tuning_steps)
        trials[json.dumps(options)] = math.inf if learner is None else study.error(learner)
    finite = {options: error for options, error in trials.items() if math.isfinite(error)}
    if trials and not finite:
        raise DataError(f"every short training of {name} diverged: {list(trials)}")
    return {
        "options": json.loads(min(finite, key=finite.__getitem__)) if finite else fixed,
        "steps": max(1, min(study.steps, int(60 * minutes / slowest))) if minutes else study.steps,
        "trials": {options: finite.get(options) for options in trials},
    }


def _train(
    study: Study, name: str, options: dict[str, Any], steps: int, folder: Path, short: bool = False
) -> tuple[Learner | None, float]:
    """A training of so many steps and its seconds; no learner if it diverged.

    A short training begins anew and does without validation, whose share of a short training would be large.
    """
    learner = study.build(name, options)
    if not steps:
        return learner, 0.0
    try:
        train, val = study.loaders()
        config = study.config(name, options, steps)
        state = Trainer(learner, train, None if short else val, config, folder).run(resume=not short)
    except DataError as error:
        print(f"{name} {options}: {error}", flush=True)
        return None, 0.0
    return learner, state.seconds


def train_or_resume(table: Path, folder: Path, **options: Any) -> Run:
    """The run in `folder`: trained with `options`, or an interrupted one continued."""
    if (folder / "config.toml").exists():
        return train(table, out=folder, resume=True)
    return train(table, out=folder, **options)


def report(lines: Sequence[str], markdown: Path | None) -> None:
    """Print the lines, and write them to the file `markdown` if there is one."""
    text = "\n".join(lines)
    print(text)
    if markdown:
        markdown.write_text(text + "\n", encoding="utf-8")


def answers(learner: Learner, batch: Episode) -> torch.Tensor:
    """Adapt to every task of a meta-batch and predict its query rows, `[tasks, rows, out]`."""

    def answer(support: dict, query: dict) -> torch.Tensor:
        state = learner.adapt(batch.support.with_tensors(support))
        return learner.answer(state, batch.query.with_tensors(query))

    return vmap(answer, randomness="different", chunk_size=100)(batch.support.tensors(), batch.query.tensors())


def arguments(
    description: str | None, name: str, steps: int, tuning_steps: int, episodes: int
) -> argparse.ArgumentParser:
    """A parser with what these benchmarks take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--learners", default="", help="joined by commas; by default all that serve the objective")
    parser.add_argument("--steps", type=int, default=steps, help="meta-training steps of each")
    parser.add_argument("--minutes", type=float, default=0, help="at most so long a training; 0: no bound")
    parser.add_argument(
        "--tuning-steps", type=int, default=tuning_steps, help="steps of the trainings that choose a step size"
    )
    parser.add_argument("--episodes", type=int, default=episodes, help="new tasks that a figure is taken over")
    parser.add_argument("--runs", type=Path, default=Path("runs") / name, help="folder of the trainings")
    parser.add_argument("--json", type=Path, default=Path(f"{name}.json"), help="figures; those there are kept")
    parser.add_argument("--again", action="store_true", help="take figures anew that the file has")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    return parser


class Records:
    """Figures by learner in a JSON file, all of one study, so that learners can be measured one by one."""

    def __init__(self, path: Path, study: Study):
        self.path, self.study = path, json.loads(json.dumps(study.to_json()))
        self.by_name: dict[str, dict[str, Any]] = {}
        if path.exists():
            saved = json.loads(path.read_text(encoding="utf-8"))
            if saved["study"] != self.study:
                raise SystemExit(f"{path} has figures of another study, {saved['study']}: give --json another file")
            self.by_name = saved["learners"]

    def missing(self, names: Iterable[str], again: bool) -> list[str]:
        """Those of the learners that are to be measured."""
        return [name for name in names if again or name not in self.by_name]

    def add(self, name: str, record: dict[str, Any]) -> None:
        """Add a learner's record and write the file."""
        self.by_name[name] = record
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps({"study": self.study, "learners": self.by_name}) + "\n", encoding="utf-8")
        partial.replace(self.path)


def cell(figures: Sequence[dict[str, Any]], digits: int = 3, **fields: Any) -> str:
    """The one figure with these fields, as `mean ± ci95`; a dash if there is none."""
    matching = [f for f in figures if all(f.get(name) == value for name, value in fields.items())]
    if matching and not math.isfinite(matching[0]["mean"]):
        return "diverges"
    return f"{matching[0]['mean']:.{digits}f} ± {matching[0]['ci95']:.{digits}f}" if matching else "–"


def how(record: dict[str, Any]) -> str:
    """Steps and options of a training, for people."""
    parts = [f"{record['steps']:,} steps" if record["steps"] else "none"]
    return ", ".join(parts + [f"{name} {value}" for name, value in record["options"].items()])
