"""Sentences about pictures with a word never seen before, learned from five captioned pictures: before and after.

The world `scenes`: every task brings an invented word for a colour, a shape or a texture; three in ten of its pictures
have nothing to do with it. Learners are meta-trained (`scratch` is not), selected on validation tasks, and tested once,
on the same new tasks before they adapt and after. Figures are kept in a JSON file and trainings in their folder, so
that the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import studies
import torch

from omnishot.runs.run import Run
from omnishot.worlds import make

#: All that the trainings have in common.
COMMON: dict[str, Any] = {
    "target": "caption", "group": "concept", "shots": 5, "queries": 5, "tasks": 4, "lr": 2e-3, "warmup": 50,
    "image": {"width": 32, "blocks": 3, "norm": "instance"}, "fusion": "attention", "val_episodes": 60,
}  # fmt: skip
#: Options of each method. Gradient steps on a task are dear, so those that take them are trained and judged for less.
METHODS: dict[str, dict[str, Any]] = {
    "maml, 1 step": {"learner": "maml", "inner_steps": 1, "inner_lr": 0.05},
    "maml, no step (prototypes of words)": {"learner": "maml", "inner_steps": 0},
    "finetune": {"learner": "finetune", "fit_steps": 10, "steps": 1200, "val_every": 1200, "val_episodes": 10},
    "scratch": {"learner": "scratch", "fit_steps": 20},
}
#: Metrics that the table shows.
METRICS = ("bleu4", "rouge_l", "cider_d", "new_word_recall", "new_word_precision")


@dataclass(frozen=True)
class Captions:
    """How methods are trained and judged.

    Args:
        steps: of each meta-training.
        episodes: test tasks.
        world: options of `scenes`.
    """

    steps: int
    episodes: int
    world: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"things": 2, "size": 48})
    common: Mapping[str, Any] = dataclasses.field(default_factory=lambda: COMMON)

    def to_json(self) -> dict[str, Any]:
        """All that figures depend on beside the method."""
        return dataclasses.asdict(self)

    def table(self, folder: Path) -> Path:
        """The world, made unless it is there."""
        path = folder / "scenes.csv"
        return path if path.exists() else make("scenes", path, **self.world)

    def trained(self, table: Path, options: Mapping[str, Any], folder: Path) -> Run:
        """The run of one method, from where an interrupted one stands."""
        own = {"steps": self.steps, "val_every": max(1, self.steps // 8), **self.common, **options}
        return studies.train_or_resume(table, folder, **own)

    def evaluate(self, table: Path, options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """A method's figures on the test tasks before adapting and after, and what its training came to."""
        run = self.trained(table, options, folder)
        data, summary = run.dataset(), run.summary()
        figures = {
            when: run.evaluate(
                data, episodes=self.episodes, queries=self.common["queries"], adapted=adapted, subsets=False, save=False
            )
            for when, adapted in (("before", False), ("after", True))
        }
        return {
            "options": dict(options),
            "steps": summary["step"],
            "seconds": round(summary["seconds"], 1),
            "validation": summary["best"],
            **{when: result.to_json() for when, result in figures.items()},
        }


def table(records: Mapping[str, dict[str, Any]]) -> list[str]:
    """Two lines a method, before and after, in order."""
    lines = [
        "| | | BLEU-4 | ROUGE-L | CIDEr-D | new word: recall | precision | steps |",
        "| --- | --- | --: | --: | --: | --: | --: | --: |",
    ]
    for name in (n for n in METHODS if n in records):
        record = records[name]
        for when in ("before", "after"):
            by_metric = {figure["metric"]: figure for figure in record[when]}
            cells = [text(by_metric[metric], 1 if metric == "cider_d" else 100) for metric in METRICS]
            lines.append(f"| {name} | {when} | {' | '.join(cells)} | {record['steps']:,} |")
    return lines


def text(figure: Mapping[str, Any], scale: float) -> str:
    """A figure with its interval."""
    digits = 1 if scale == 100 else 2
    return f"{scale * figure['mean']:.{digits}f} ± {scale * figure['ci95']:.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="", help="joined by semicolons; by default all")
    parser.add_argument("--steps", type=int, default=3000, help="meta-training steps of each (3000)")
    parser.add_argument("--episodes", type=int, default=300, help="test tasks (300)")
    parser.add_argument("--out", type=Path, default=Path("runs/captions"), help="folder of world, trainings, figures")
    args = parser.parse_args()
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    study, path = Captions(args.steps, args.episodes), args.out / "captions.json"
    kept = json.loads(path.read_text()) if path.exists() else {"study": study.to_json(), "methods": {}}
    if kept["study"] != json.loads(json.dumps(study.to_json())):
        raise SystemExit(f"{path} has figures of another study, {kept['study']}: give --out another folder")
    for name in args.methods.split(";") if args.methods else METHODS:
        if name not in kept["methods"]:
            world = study.table(args.out)
            kept["methods"][name] = study.evaluate(world, METHODS[name], args.out / name.replace(" ", "_"))
            path.write_text(json.dumps(kept, indent=1) + "\n")
    print("\n".join(table(kept["methods"])))


if __name__ == "__main__":
    main()
