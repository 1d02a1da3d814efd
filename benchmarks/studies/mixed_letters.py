"""One learner for unlike letters: `glyphs` and Omniglot mixed, the accuracy on new classes of each.

Half of the tasks of a meta-batch are of printed letters, half of handwritten ones, each task within one family; no
class is in two splits. Figures are kept in the JSON file and trainings in their folder, so that the command goes on
where it was stopped, and learners can be measured one by one. Takes the folder that holds Omniglot as published.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import studies
import torch

from omnishot import read_table
from omnishot.datasets import read
from omnishot.episodes.corruption import CLEAN, Corruption
from omnishot.episodes.loader import Loader, Shape
from omnishot.episodes.rows import Episode, Rows
from omnishot.episodes.tasks import ClassTasks
from omnishot.evaluation.evaluator import Evaluator
from omnishot.evaluation.figure import Figure
from omnishot.experiment.build import build_learner
from omnishot.experiment.config import Config
from omnishot.experiment.dataset import Dataset, build
from omnishot.learners.base import Learner
from omnishot.worlds import make

FAMILIES = ("glyphs", "omniglot")
TRAIN, VAL, TEST = 0, 1, 2  # seeds
REFERENCE = "maml"


@dataclass(frozen=True)
class Mixed:
    """Meta-batches to which every loader gives as many tasks."""

    loaders: tuple[Loader, ...]
    shard: tuple[int, int] = (0, 1)
    corruption: Corruption = CLEAN

    @property
    def shape(self) -> Shape:
        """Of a whole meta-batch."""
        first = self.loaders[0].shape
        return dataclasses.replace(first, tasks=first.tasks * len(self.loaders))

    def batch(self, step: int) -> Episode:
        """The meta-batch of one step."""
        batches = [loader.batch(step) for loader in self.loaders]
        halves = (_joined([getattr(b, half) for b in batches]) for half in ("support", "query"))
        return Episode(*(half.select(slice(self.shard[0], None, self.shard[1])) for half in halves))

    stream = Loader.stream


def _joined(parts: list[Rows]) -> Rows:
    """Tasks of equal shape, one meta-batch after the other."""
    trees = [part.tensors() for part in parts]
    tree: dict[str, Any] = {n: torch.cat([t[n] for t in trees]) for n in trees[0] if n != "inputs"}
    tree["inputs"] = {n: torch.cat([t["inputs"][n] for t in trees]) for n in trees[0]["inputs"]}
    return parts[0].with_tensors(tree)


@dataclass(frozen=True)
class Letters(studies.Study):
    """Training on tasks of both families, half each."""

    data: Dataset
    steps: int
    tuning_steps: int
    episodes: int  # test tasks of each family
    ways: int
    shots: int
    queries: int
    tasks: int  # a meta-batch
    width: int

    def config(self, learner: str, options: dict[str, Any], steps: int) -> Config:
        inputs = {"image": {"size": 28, "width": self.width}}
        if learner == REFERENCE:
            options = {"head": "prototype"} | options  # that of the figures on record
        return Config(
            learner=learner, options=options, inputs=inputs, tasks=self.tasks, ways=self.ways, shots=self.shots,
            queries=self.queries, steps=steps,
        )  # fmt: skip

    def build(self, learner: str, options: dict[str, Any]) -> Learner:
        labels = self.data.labels()
        assert labels is not None
        config = self.config(learner, options, 0)
        fresh = build_learner(config, self.data.store.modalities, self.data.objective, self.ways, int(labels.max()) + 1)
        if fresh.needs.rows:
            train = np.flatnonzero(self.data.parts == "train")
            index = np.random.default_rng(TRAIN).choice(train, fresh.needs.rows, replace=False)
            fresh.remember(self.data.store.gather(index).with_tensors({"label": torch.from_numpy(labels[index])}))
        return fresh

    def loader(self, part: str, family: str, seed: int, tasks: int) -> Loader:
        """Tasks of one family and part."""
        frame, data = self.data.table.frame, self.data
        rows = np.flatnonzero((data.parts == part) & (frame["_family"] == family).to_numpy())
        source = ClassTasks(data.table.labels[0][rows], rows)
        return Loader(data.store, source, Shape(tasks, self.ways, self.shots, self.queries), seed, data.labels())

    def loaders(self) -> tuple[Any, Any]:
        each = self.tasks // len(FAMILIES)
        return (
            Mixed(tuple(self.loader("train", family, TRAIN, each) for family in FAMILIES)),
            Mixed(tuple(self.loader("val", family, VAL, 1) for family in FAMILIES)),
        )

    def error(self, learner: Learner) -> float:
        loaders = (self.loader("val", family, VAL + 10, 1) for family in FAMILIES)
        return 1 - float(np.mean([Evaluator(learner, loader, 50).results()["accuracy"][0] for loader in loaders]))

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "data"}

    def evaluate(self, name: str, learner: Learner) -> list[dict[str, Any]]:
        """Figures of a trained learner by family."""
        figures = []
        for family in FAMILIES:
            loader = self.loader("test", family, TEST, 1)
            accuracy = Evaluator(learner, loader, self.episodes).results()["accuracy"]
            figure = Figure(
                "accuracy", *accuracy, self.episodes, name, "none", ("image",), self.ways, self.shots, self.queries,
                transductive=learner.transductive, seed=TEST,
            )  # fmt: skip
            figures.append(figure.to_json() | {"family": family})
        return figures


def letters(omniglot: Path, folder: Path) -> Dataset:
    """Both families as one decoded table, made in `folder` unless it is there."""
    path = folder / "letters.csv"
    if not path.exists():
        glyphs = pd.read_csv(make("glyphs", folder / "glyphs.csv", sound=False))
        drawn = pd.read_csv(read("omniglot", omniglot, folder / "omniglot.csv"))
        glyphs = glyphs.rename(columns={"picture": "image", "letter": "character"}).assign(_family="glyphs")
        both = pd.concat([glyphs, drawn.assign(_family="omniglot")])
        both[["image", "character", "_family", "split"]].to_csv(path, index=False)
    return build(read_table(path, target="character"), Config(inputs={"image": {"size": 28}}))


def table(records: dict[str, dict[str, Any]]) -> list[str]:
    """One line a learner, the most accurate first."""
    mean = {name: np.mean([f["mean"] for f in record["figures"]]) for name, record in records.items()}
    lines = [
        f"| learner | {' | '.join(FAMILIES)} | mean | beside `{REFERENCE}` | meta-training |",
        f"| --- | {'--: | ' * len(FAMILIES)}--: | --: | --- |",
    ]
    for name in sorted(records, key=lambda name: -mean[name]):
        cells = [studies.cell(records[name]["figures"], 4, family=family) for family in FAMILIES]
        difference = f"{mean[name] - mean[REFERENCE]:+.4f}" if REFERENCE in mean else "–"
        lines.append(
            f"| {name} | {' | '.join(cells)} | {mean[name]:.4f} | {difference} | {studies.how(records[name])} |"
        )
    return lines


def main() -> None:
    parser = studies.arguments(__doc__, "mixed_letters", steps=5000, tuning_steps=50, episodes=600)
    parser.add_argument("omniglot", type=Path, help="the folder that holds Omniglot as published")
    parser.add_argument("--ways", type=int, default=5)
    parser.add_argument("--shots", type=int, default=1)
    parser.add_argument("--queries", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=4, help="tasks of a meta-batch, an even number")
    parser.add_argument("--width", type=int, default=64, help="channels of Conv-4")
    args = parser.parse_args()
    if args.tasks % 2:
        parser.error(f"--tasks must be even, half for each family, not {args.tasks}")
    torch.set_num_threads(1)
    data = letters(args.omniglot, args.runs / "data")
    study = Letters(
        data, args.steps, args.tuning_steps, args.episodes, args.ways, args.shots, args.queries, args.tasks, args.width
    )
    records = studies.Records(args.json, study)
    names = args.learners.split(",") if args.learners else studies.names("classify")
    for name in records.missing(names, args.again):
        learner, record = studies.trained(study, name, {}, args.runs / name, args.minutes)
        records.add(name, record | {"figures": study.evaluate(name, learner)})
        print("\n".join(table(records.by_name)), flush=True)
    studies.report(table(records.by_name), args.markdown)


if __name__ == "__main__":
    main()
