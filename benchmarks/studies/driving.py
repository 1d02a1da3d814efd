"""Steering and time to collision of vehicles never seen, after 5 and 10 labelled moments, each sensor dead in turn.

The world `driving`: a vehicle has its own calibration. Learners are meta-trained on some vehicles, with sensors that
drop out; what a method's adapting is told is chosen on the validation vehicles; they are tested once on other vehicles,
on the same tasks: before they adapt and after, with all sensors and with each dead (support and query rows lack it).
Figures are kept in a JSON file and trainings in their folder, so that the command goes on where it was stopped.
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

from omnishot.episodes.loader import Loader, Shape
from omnishot.evaluation.evaluator import Evaluator
from omnishot.evaluation.figure import interval
from omnishot.experiment.dataset import Dataset
from omnishot.runs.run import Run
from omnishot.worlds import make
from omnishot.worlds.driving.world import SENSORS

Options = Mapping[str, Any]
#: All that the trainings have in common. Where something is in a picture or a range profile tells both targets, so
#: their parts are fused, which keep their places (level `token`), and not their means.
COMMON: dict[str, Any] = {
    "target": "steering,collision", "group": "vehicle", "shots": [5, 10], "queries": 10, "tasks": 4, "lr": 2e-3,
    "warmup": 50, "dropout": 0.2, "level": "token", "dim": 48, "val_episodes": 40,
    "camera": {"width": 24, "pool": "stride"}, "series": {"width": 32},
}  # fmt: skip
#: Options of each method. One learner sees fewer rows with motion, which alone tells how the road bends, so that the
#: camera is worth learning from.
METHODS: dict[str, Options] = {
    "maml": {"learner": "maml", "adapt": "head", "learned_inner_lr": "tensor", "inner_steps": 5, "inner_lr": 0.05},
    "maml, motion often gone": {
        "learner": "maml", "adapt": "head", "learned_inner_lr": "tensor", "inner_steps": 5, "inner_lr": 0.05,
        "dropout": {"camera": 0.1, "radar": 0.2, "motion": 0.6},
    },
    "r2d2": {"learner": "r2d2"},
    "finetune": {"learner": "finetune", "fit_steps": 5, "fit_lr": 3e-4},
}  # fmt: skip
#: What a trained learner may be told of adapting, by its name: whatever is best on the validation vehicles.
SETTINGS: dict[str, Sequence[Options]] = {
    "maml": [{"inner_steps": steps} for steps in (1, 2, 5, 10)],
    "finetune": [{"fit_lr": rate} for rate in (1e-4, 3e-4, 1e-3)],
}
#: What is told of each target, by its place among the table's targets.
METRICS = {"mae_1": "steering (°)", "mae_2": "collision (s)"}
#: What becomes of the sensors, as `Run.evaluate` is told.
CONDITIONS: dict[str, Options] = {
    "all sensors": {},
    **{f"{sensor} dead": {"missing": {sensor: 1.0}} for sensor in SENSORS},
}


@dataclass(frozen=True)
class Driving:
    """How methods are trained and judged.

    Args:
        steps: of each meta-training.
        episodes: test tasks, each of a vehicle drawn with replacement.
        shots: labelled moments of a vehicle.
        world: options of `driving`.
        common: options that all trainings have.
    """

    steps: int
    episodes: int
    shots: tuple[int, ...] = (5, 10)
    world: Options = dataclasses.field(default_factory=lambda: {"vehicles": 500, "rows_per_vehicle": 30})
    common: Options = dataclasses.field(default_factory=lambda: COMMON)

    def to_json(self) -> dict[str, Any]:
        """All that figures depend on beside the method."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def world_table(self, folder: Path) -> Path:
        """The world, made unless it is there."""
        path = folder / "drives.csv"
        return path if path.exists() else make("driving", path, **self.world)

    def trained(self, table: Path, options: Options, folder: Path) -> Run:
        """The run of one method, from where an interrupted one stands."""
        own = {"steps": self.steps, "val_every": max(1, self.steps // 4), **self.common, **options}
        return studies.train_or_resume(table, folder, **own)

    def evaluate(self, table: Path, name: str, folder: Path) -> dict[str, Any]:
        """A method's figures on the test vehicles, and what its training came to."""
        run = self.trained(table, METHODS[name], folder)
        data, summary = run.dataset(), run.summary()
        best, losses = self.chosen(run, data, SETTINGS.get(METHODS[name]["learner"], ()))
        return {
            "options": {**METHODS[name], **best},
            "steps": summary["step"],
            "seconds": round(summary["seconds"], 1),
            "validation": summary["best"],
            "settings": losses,
            "vehicles": {part: len(data.members(part)) for part in ("train", "val", "test")},
            "figures": self.judged(with_settings(run, best), data),
            "constant": self.constant(run, data),
        }

    def chosen(self, run: Run, data: Dataset, settings: Sequence[Options]) -> tuple[Options, dict[str, float]]:
        """The settings of the least loss, in which both targets count alike, on validation vehicles; all losses."""
        losses = {}
        for options in settings:
            result = with_settings(run, options).evaluate(
                data, split="val", episodes=max(2, self.episodes // 3), queries=self.common["queries"], subsets=False,
                save=False,
            )  # fmt: skip
            losses[json.dumps(dict(options))] = result.metrics["loss"]
        return (json.loads(min(losses, key=losses.__getitem__)) if losses else {}), losses

    def judged(self, run: Run, data: Dataset) -> dict[str, list[dict[str, Any]]]:
        """Figures by condition, all of the same tasks: after adapting, and before where there is such a thing."""
        begins = run.learner.has_initial_state
        tests = [(shots, True) for shots in self.shots] + [(self.shots[-1], False)] * begins
        common = {"episodes": self.episodes, "queries": self.common["queries"], "subsets": False, "save": False}
        return {
            condition: [
                figure
                for shots, adapted in tests
                for figure in run.evaluate(data, shots=shots, adapted=adapted, **common, **corruption).to_json()
            ]
            for condition, corruption in CONDITIONS.items()
        }

    def constant(self, run: Run, data: Dataset) -> dict[str, list[list[float]]]:
        """The error of always saying the mean of a vehicle's labelled moments, with its interval, of each target, on
        the same tasks; by their number, 0 saying the mean of the training rows."""
        unit = torch.from_numpy(run.learner.objective.std)  # type: ignore[attr-defined]
        constants = {}
        for shots in (0, *self.shots):
            most = shots or self.shots[-1]
            tasks = data.tasks("test", most, self.common["queries"])
            loader = Loader(data.store, tasks.source, Shape(min(8, self.episodes), None, most, tasks.queries), seed=0)
            errors = []
            for _, task in Evaluator(run.learner, loader, self.episodes).tasks():
                support, query = task.support.target, task.query.target
                assert support is not None
                assert query is not None
                errors.append(((query - (support.mean(0) if shots else 0)).abs().mean(0) * unit).tolist())
            constants[str(shots)] = [list(interval(each)) for each in zip(*errors, strict=True)]
        return constants


def with_settings(run: Run, settings: Options) -> Run:
    """The run, with the learner's own settings changed."""
    for name, value in settings.items():
        setattr(run.learner, name, value)
    return run


def table(records: Mapping[str, dict[str, Any]], shots: Sequence[int]) -> list[str]:
    """One table a target: a line a method and number of labelled moments (0: before adapting), a column a condition."""
    lines = []
    named = [n for n in METHODS if n in records]
    for place, (metric, title) in enumerate(METRICS.items()):
        lines += [
            f"| {title} | support rows | {' | '.join(CONDITIONS)} |",
            f"| --- | --: |{' --: |' * len(CONDITIONS)}",
        ]
        for count, constants in records[named[0]]["constant"].items() if named else ():
            cells = [text(*constants[place])] * len(CONDITIONS)  # which needs no sensor
            lines.append(f"| constant | {count} | {' | '.join(cells)} |")
        for name in named:
            for count in (0, *shots):
                cells = [cell(figures, metric, count) for figures in records[name]["figures"].values()]
                if any(cells):
                    lines.append(f"| {name} | {count} | {' | '.join(cells)} |")
        lines.append("")
    return lines[:-1]


def cell(figures: Sequence[Mapping[str, Any]], metric: str, shots: int) -> str:
    """The figure after so many labelled moments, of 0 before adapting; empty if there is none."""
    matching = [f for f in figures if (f["metric"], f["adapted"]) == (metric, shots > 0) and shots in (0, f["shots"])]
    return text(matching[0]["mean"], matching[0]["ci95"]) if matching else ""


def text(mean: float, ci95: float) -> str:
    """A figure with its interval."""
    return f"{mean:.2f} ± {ci95:.2f}"


def kept(path: Path, study: Driving) -> dict[str, dict[str, Any]]:
    """The records of a study by method."""
    saved = json.loads(path.read_text()) if path.exists() else {"study": study.to_json(), "methods": {}}
    if saved["study"] != study.to_json():
        raise SystemExit(f"{path} has figures of another study, {saved['study']}: give --out another folder")
    return saved["methods"]


def keep(path: Path, study: Driving, name: str, record: Mapping[str, Any]) -> None:
    """Add a method's record to what is kept by then: methods may be measured side by side."""
    records = kept(path, study) | {name: record}
    path.write_text(json.dumps({"study": study.to_json(), "methods": records}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="", help="joined by semicolons; all unless said")
    parser.add_argument("--steps", type=int, default=800, help="meta-training steps of each (800)")
    parser.add_argument("--episodes", type=int, default=300, help="test tasks (300)")
    parser.add_argument("--out", type=Path, default=Path("runs/driving"), help="folder of world, trainings, figures")
    args = parser.parse_args()
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    study, path = Driving(args.steps, args.episodes), args.out / "driving.json"
    for name in args.methods.split(";") if args.methods else METHODS:
        if name not in kept(path, study):
            keep(
                path, study, name, study.evaluate(study.world_table(args.out), name, args.out / name.replace(" ", "_"))
            )
    print("\n".join(table(kept(path, study), study.shots)))


if __name__ == "__main__":
    main()
