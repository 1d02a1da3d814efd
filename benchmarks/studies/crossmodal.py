"""Learn new classes from one input, recognise them by another: what trains for it, beside canonical correlations.

Two inputs of a table at a time: descriptions and pictures, or spoken names and pictures, of the letters of `glyphs`;
pen strokes and images of Omniglot. No class is in two splits. Of a method's settings the one that is best on validation
tasks (one input in support, the other in query) is tested, once. Figures are kept in a JSON file for each pair of
inputs, and trainings in their folder, so that the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import studies
import torch

from omnishot.datasets import read
from omnishot.experiment.dataset import Dataset
from omnishot.runs.run import Run
from omnishot.worlds import make

#: All that methods have in common. Twenty classes a task tell more apart in a step than five (Snell et al. 2017, §2.4).
COMMON: dict[str, Any] = {"ways": 20, "shots": 1, "queries": 2, "tasks": 1, "lr": 3e-3, "dim": 64}
PICTURE = {"image": {"size": 28, "width": 32, "pool": "stem"}}
#: Options of each method: of several settings validation chooses.
METHODS: dict[str, list[dict[str, Any]]] = {
    "plain": [{}],
    "dropout": [{"dropout": 0.5}],
    "cross": [{"cross": 0.5}],
    "cross + extra shots": [{"cross": 0.5, "extra_shots": True}],
    "cross + infonce": [{"cross": 0.5, "auxiliary": {"infonce": 1.0}}],
    "cross + sigmoid": [{"cross": 0.5, "auxiliary": {"sigmoid": 1.0}}],
    "cca": [{"learner": "cca", "principal": n, "cross": 1.0} for n in (16, 64)],
}


@dataclass(frozen=True)
class Pair:
    """Two inputs of a table: classes are learned from the one, and recognised by the `other`."""

    table: Path
    target: str
    one: str
    other: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of the inputs

    def conditions(self) -> dict[str, tuple[Sequence[str], Sequence[str], int]]:
        """Inputs of the support and of the query rows, and shots, by name of the column; the first counts."""
        return {
            f"{self.one} → {self.other}, 1-shot": ([self.one], [self.other], 1),
            f"{self.one} → {self.other}, 5-shot": ([self.one], [self.other], 5),
            f"both → {self.other}, 1-shot": ([], [self.other], 1),
            f"{self.other} → {self.other}, 1-shot": ([self.other], [self.other], 1),
        }


@dataclass(frozen=True)
class Transfer:
    """How methods are trained and judged."""

    steps: int
    episodes: int  # of validation and of test
    ways: int = 5
    queries: int = 3
    common: Mapping[str, Any] = dataclasses.field(default_factory=lambda: COMMON)

    def to_json(self) -> dict[str, Any]:
        """All that figures depend on beside the method."""
        return dataclasses.asdict(self)

    def trained(self, pair: Pair, options: Mapping[str, Any], folder: Path) -> Run:
        """The run of one setting, from where an interrupted one stands."""
        own = {"val_every": max(1, self.steps // 5), **self.common, **pair.options, "steps": self.steps, **options}
        return studies.train_or_resume(pair.table, folder, target=pair.target, inputs=[pair.one, pair.other], **own)

    def judged(
        self, run: Run, data: Dataset, split: str, condition: tuple[Sequence[str], Sequence[str], int]
    ) -> dict[str, Any]:
        """The accuracy on tasks of a part of the run's table under a condition of the pair, as a record."""
        support, query, shots = condition
        result = run.evaluate(
            data, split=split, shots=shots, ways=self.ways, queries=self.queries, episodes=self.episodes,
            support_inputs=support, query_inputs=query, subsets=False, save=False,
        )  # fmt: skip
        return result.figures[0].to_json()

    def evaluate(self, pair: Pair, settings: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Any]:
        """The best of some settings on validation tasks, and its figures on test tasks by condition."""
        conditions = pair.conditions()
        first = next(iter(conditions.values()))
        runs = [self.trained(pair, options, folder / str(i)) for i, options in enumerate(settings)]
        data = runs[0].dataset()
        tried = [self.judged(run, data, "val", first)["mean"] for run in runs]
        best = tried.index(max(tried))
        summary = runs[best].summary()
        return {
            "options": dict(settings[best]),
            "steps": summary["step"],
            "seconds": round(summary["seconds"], 1),
            "validation": {json.dumps(s): value for s, value in zip(settings, tried, strict=True)},
            "figures": {name: self.judged(runs[best], data, "test", how) for name, how in conditions.items()},
        }


def table(pair: Pair, records: Mapping[str, dict[str, Any]]) -> list[str]:
    """One line a method, in order."""
    columns = list(pair.conditions())
    lines = [
        f"| trained | {' | '.join(columns)} | settings | validation |",
        f"| --- | {'--: | ' * len(columns)}--- | --: |",
    ]
    for name in (n for n in METHODS if n in records):
        record = records[name]
        cells = [percent(record["figures"][column]) for column in columns]
        best = 100 * max(record["validation"].values())
        lines.append(f"| {name} | {' | '.join(cells)} | {text_of(record['options'])} | {best:.1f} |")
    return lines


def percent(figure: Mapping[str, Any]) -> str:
    """A figure in percent."""
    return f"{100 * figure['mean']:.1f} ± {100 * figure['ci95']:.1f}"


def text_of(options: Mapping[str, Any]) -> str:
    """Options for people, without the learner."""
    flat = {
        n: v
        for name, value in options.items()
        for n, v in (value if isinstance(value, dict) else {name: value}).items()
    }
    return ", ".join(f"{name} {value}" for name, value in flat.items() if name != "learner") or "–"


def pairs(omniglot: Path, folder: Path) -> dict[str, Pair]:
    """What is learned from and recognised by; tables are made in `folder` unless they are there."""
    glyphs, drawn = folder / "glyphs.csv", folder / "strokes.csv"
    if not glyphs.exists():
        make("glyphs", glyphs, sound=True)
    if not drawn.exists():
        read("omniglot-strokes", omniglot, drawn)
    return {
        "text": Pair(glyphs, "letter", "text", "picture", PICTURE | {"text": {"encoder": "gru", "width": 32}}),
        "sound": Pair(glyphs, "letter", "sound", "picture", PICTURE),
        "strokes": Pair(drawn, "character", "strokes", "image", PICTURE),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("omniglot", type=Path, help="the folder that holds Omniglot as published")
    parser.add_argument("--pairs", default="text,sound,strokes", help="joined by commas")
    parser.add_argument("--methods", default=",".join(METHODS), help="joined by commas")
    parser.add_argument("--steps", type=int, default=1000, help="meta-training steps of each")
    parser.add_argument("--episodes", type=int, default=400, help="validation and test tasks")
    parser.add_argument("--runs", type=Path, default=Path("runs/crossmodal"), help="folder of tables and trainings")
    parser.add_argument("--json", type=Path, default=Path("crossmodal"), help="folder of figures; those there are kept")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    study = Transfer(args.steps, args.episodes)
    known, text = pairs(args.omniglot, args.runs / "data"), []
    for name in args.pairs.split(","):
        pair, records = known[name], studies.Records(args.json / f"{name}.json", study)  # type: ignore[arg-type]
        for method in records.missing(args.methods.split(","), again=False):
            records.add(method, study.evaluate(pair, METHODS[method], args.runs / name / method.replace(" ", "")))
            print("\n".join(table(pair, records.by_name)), flush=True)
        text += [*table(pair, records.by_name), ""]
    print("\n".join(text))
    if args.markdown:
        args.markdown.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
