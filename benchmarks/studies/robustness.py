"""What robust meta-training gains and costs: a plain run on `glyphs` beside one with noise and one with attacks.

The three are trained alike but for that, and tested on the same tasks: under noise of every level on each input and on
all, under failures, and attacked by FGSM and PGD through picture and sound. Figures are kept in the JSON file and
trainings in their folder, so that the command goes on where it was stopped, and parts of it can be run side by side
(`--only`, each with a JSON file of its own; `--merge` puts their figures together).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import studies
import torch

from omnishot.analysis.robustness import page as robust
from omnishot.analysis.robustness.degradation import CLEAN, Robustness
from omnishot.analysis.robustness.sweep import robustness
from omnishot.runs.run import Run
from omnishot.worlds import make

TARGET = "letter"
COMMON: dict[str, Any] = {
    "learner": "protonet",
    "ways": 5,
    "shots": 1,
    "lr": 2e-3,
    "val_every": 150,
    "val_episodes": 50,
}
COMMON |= {"plan": "vmap", "picture": {"pool": "stem", "width": 32}, "sound": {"width": 24}}
#: Further options of each training.
TRAININGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "noisy": {"noise": {"*": 0.75}},
    "adversarial": {"adversarial": {"picture": 0.03, "sound": 0.002}},
}
#: What each is put to, as `om.robustness` takes it.
PARTS: dict[str, dict[str, Any]] = {
    "noise": {"levels": (0.25, 0.5, 0.75, 1.0)},
    "picture": {"inputs": ["picture"], "epsilons": (0.03, 0.08)},
    "sound": {"inputs": ["sound"], "epsilons": (0.002, 0.008)},
}
for part in ("picture", "sound"):
    PARTS[part] |= {"attacks": ("fgsm", "pgd"), "levels": (), "failures": ()}


@dataclass(frozen=True)
class Hardship:
    """How runs are trained and judged."""

    steps: int
    episodes: int
    queries: int
    split: str = "test"
    common: Mapping[str, Any] = dataclasses.field(default_factory=lambda: COMMON)

    def to_json(self) -> dict[str, Any]:
        """All that figures depend on beside the training and what it is put to."""
        return dataclasses.asdict(self)

    def trained(self, table: Path, name: str, folder: Path) -> Run:
        """One training, from where an interrupted one stands."""
        return studies.train_or_resume(table, folder, target=TARGET, steps=self.steps, **self.common, **TRAININGS[name])

    def evaluate(self, run: Run, part: str) -> dict[str, Any]:
        """The figures of one part."""
        result = robustness(run, episodes=self.episodes, queries=self.queries, split=self.split, **PARTS[part])
        return {"measured": result.to_json()}


def joined(records: Iterable[Mapping[str, Any]]) -> Robustness:
    """All figures, what every part measured anew (inputs as they are) once."""
    every = {(m["run"], m["what"], m["input"], m["at"]): m for record in records for m in record["measured"]}
    order = list(TRAININGS)
    cells = sorted(every.values(), key=lambda m: order.index(m["run"]))
    return Robustness.from_json(cells)


def table(result: Robustness) -> list[str]:
    """The figures as Markdown."""
    lines = [f"| {' | '.join(result.head)} |", "| --- | --- | --: |" + " --: |" * len(result.runs)]
    return lines + [f"| {' | '.join(row)} |" for row in result.rows()]


def cost(result: Robustness) -> list[str]:
    """What robust training costs where nothing is wrong, in points."""
    clean = {run: result.clean(run).mean for run in result.runs if any(m.what == CLEAN for m in result.points)}
    first, *others = clean
    return [
        f"{run} costs {100 * (clean[first] - clean[run]):.1f} points where inputs are as they are" for run in others
    ]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--only", default="", help="TRAINING or TRAINING/PART, joined by commas; by default all")
    parser.add_argument("--steps", type=int, default=600, help="meta-training steps of each run")
    parser.add_argument("--episodes", type=int, default=200, help="tasks that a figure is taken over")
    parser.add_argument("--queries", type=int, default=5, help="query rows a class")
    parser.add_argument("--split", default="test", help="val to choose by, test to report")
    parser.add_argument("--table", type=Path, help="`glyphs`; made in the folder of trainings by default")
    parser.add_argument("--runs", type=Path, default=Path("runs/robustness"), help="folder of the trainings")
    parser.add_argument("--json", type=Path, default=Path("robustness.json"), help="figures; those there are kept")
    parser.add_argument("--merge", type=Path, nargs="*", default=[], help="files of figures measured side by side")
    parser.add_argument("--page", type=Path, help="write the page and its picture to this .html file")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    glyphs = args.table or args.runs / "glyphs.csv"
    if not glyphs.exists():
        make("glyphs", glyphs, sound=True)
    study = Hardship(args.steps, args.episodes, args.queries, args.split)
    records = studies.Records(args.json, study)  # type: ignore[arg-type]
    for path in args.merge:
        for name, record in json.loads(path.read_text(encoding="utf-8"))["learners"].items():
            records.add(name, record)
    chosen = args.only.split(",") if args.only else []
    pairs = [f"{name}/{part}" for name in TRAININGS for part in PARTS]
    selected = [pair for pair in pairs if not chosen or pair in chosen or pair.partition("/")[0] in chosen]
    for pair in records.missing(selected, again=False):
        name, _, part = pair.partition("/")
        records.add(pair, study.evaluate(study.trained(glyphs, name, args.runs / name), part))
        print("\n".join(table(joined(records.by_name.values()))), flush=True)
    result = joined(records.by_name.values())
    studies.report([*table(result), "", *cost(result)], args.markdown)
    if args.page:
        robust.write(result, args.page)


if __name__ == "__main__":
    main()
