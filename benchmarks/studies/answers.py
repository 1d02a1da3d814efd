"""Questions about pictures with a word never seen before: the picture and the question, beside either alone.

The world `scenes` in its form `questions`: ten questions about pictures of a new concept are answered to learn from,
others are asked. One learner, trained on both inputs, on the question alone and on the picture alone; docs/worlds.md
says what answers are worth without looking. Selected on validation tasks, tested once, on the same tasks. Figures are
kept in a JSON file and trainings in their folder, so that the command goes on where it was stopped.
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

#: All that the trainings have in common. The learner takes no gradient step: a task's own words are learned from where
#: its answers say them, everything else in meta-training.
COMMON: dict[str, Any] = {
    "target": "answer", "objective": "answer", "group": "concept", "learner": "maml", "inner_steps": 0,
    "shots": 10, "queries": 10, "tasks": 4, "lr": 2e-3, "warmup": 50, "val_episodes": 40,
}  # fmt: skip
PICTURE = {"image": {"width": 32, "blocks": 3, "norm": "instance"}}
QUESTION = {"question": {"encoder": "gru", "width": 64}}
#: Inputs, and their options, of each training.
INPUTS: dict[str, dict[str, Any]] = {
    "picture and question": {"inputs": ["image", "question"], **PICTURE, **QUESTION},
    "question only": {"inputs": ["question"], **QUESTION},
    "picture only": {"inputs": ["image"], **PICTURE},
}


@dataclass(frozen=True)
class Answers:
    """How trainings are made and judged.

    Args:
        steps: of each meta-training.
        episodes: test tasks.
        world: options of `scenes`.
    """

    steps: int
    episodes: int
    world: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: {"form": "questions", "things": 2, "size": 48, "questions": 2}
    )
    common: Mapping[str, Any] = dataclasses.field(default_factory=lambda: COMMON)

    def to_json(self) -> dict[str, Any]:
        """All that figures depend on beside the inputs."""
        return dataclasses.asdict(self)

    def table(self, folder: Path) -> Path:
        """The world, made unless it is there."""
        path = folder / "questions.csv"
        return path if path.exists() else make("scenes", path, **self.world)

    def trained(self, table: Path, options: Mapping[str, Any], folder: Path) -> Run:
        """The run of one training, from where an interrupted one stands."""
        own = {"steps": self.steps, "val_every": max(1, self.steps // 5), **self.common, **options}
        return studies.train_or_resume(table, folder, **own)

    def evaluate(self, table: Path, options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """The figures on the test tasks, and what the training came to."""
        run = self.trained(table, options, folder)
        summary = run.summary()
        result = run.evaluate(
            run.dataset(), episodes=self.episodes, queries=self.common["queries"], subsets=False, save=False
        )
        return {
            "steps": summary["step"],
            "seconds": round(summary["seconds"], 1),
            "validation": summary["best"],
            "figures": result.to_json(),
        }


def table(records: Mapping[str, dict[str, Any]]) -> list[str]:
    """One line a training, in order."""
    lines = ["| | accuracy, generated | chosen among the ten | steps |", "| --- | --: | --: | --: |"]
    for name in (n for n in INPUTS if n in records):
        figures = {figure["metric"]: figure for figure in records[name]["figures"]}
        cells = [
            f"{100 * figure['mean']:.1f} ± {100 * figure['ci95']:.1f}"
            for figure in (figures["soft_accuracy_generated"], figures["soft_accuracy_chosen"])
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {records[name]['steps']:,} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", default="", help="trainings, joined by semicolons; by default all")
    parser.add_argument("--steps", type=int, default=2500, help="meta-training steps of each (2500)")
    parser.add_argument("--episodes", type=int, default=300, help="test tasks (300)")
    parser.add_argument("--frozen", help="a run of the study of captions, to look with its image encoder, frozen")
    parser.add_argument("--out", type=Path, default=Path("runs/answers"), help="folder of world, trainings, figures")
    args = parser.parse_args()
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    study, path = Answers(args.steps, args.episodes), args.out / "answers.json"
    kept = json.loads(path.read_text()) if path.exists() else {"study": study.to_json(), "trainings": {}}
    if kept["study"] != json.loads(json.dumps(study.to_json())):
        raise SystemExit(f"{path} has figures of another study, {kept['study']}: give --out another folder")
    for name in args.inputs.split(";") if args.inputs else INPUTS:
        if name not in kept["trainings"]:
            world = study.table(args.out)
            inputs = INPUTS[name]
            if args.frozen and "image" in inputs:
                inputs = inputs | {"image": {"frozen": args.frozen}}
            kept["trainings"][name] = study.evaluate(world, inputs, args.out / name.replace(" ", "_"))
            path.write_text(json.dumps(kept, indent=1) + "\n")
    print("\n".join(table(kept["trainings"])))


if __name__ == "__main__":
    main()
