"""The improvement by an input that is new at adaptation, each input of `glyphs` in turn.

For each input a run is trained on the two others. Its test tasks are then learned and answered without the input, and
with it, new in the support rows of the task, which have it too: a few rows are all that the map from its plain
features is fitted on. The improvement is the mean difference by task. Figures are kept in the JSON file and trainings
in their folder, so that the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import studies
import torch

from omnishot.runs.run import Run
from omnishot.worlds import make

TARGET = "letter"
#: The inputs of `glyphs` and their kinds.
INPUTS = {"picture": "image", "sound": "audio", "text": "text"}
COMMON: dict[str, Any] = {"ways": 5, "shots": 1, "queries": 5, "tasks": 4, "lr": 3e-3, "val_episodes": 40}
COMMON |= {"learner": "protonet"}
#: Options of inputs, small enough for a minute or two of one core.
OPTIONS: dict[str, dict[str, Any]] = {"picture": {"pool": "stem", "width": 32}, "sound": {"width": 24}}


@dataclass(frozen=True)
class NewInput:
    """How runs are trained and judged."""

    steps: int
    episodes: int
    shots: tuple[int, ...]
    split: str = "test"
    queries: int = 10
    ways: int = 5
    missing: float = 0.0  # share of the cells of known inputs

    def to_json(self) -> dict[str, Any]:
        """All that figures depend on beside the input that is left out."""
        return dataclasses.asdict(self)

    def trained(self, table: Path, new: str, folder: Path) -> Run:
        """The run of all inputs but one, from where an interrupted one stands."""
        others = [name for name in INPUTS if name != new]
        options = COMMON | {name: OPTIONS[name] for name in others if name in OPTIONS}
        return studies.train_or_resume(table, folder, target=TARGET, inputs=others, steps=self.steps, **options)

    def evaluate(self, run: Run, new: str) -> dict[str, Any]:
        """Accuracy with the new input and without, and the improvement, by number of shots."""
        new_inputs = {new: INPUTS[new]}
        data, records = run.dataset(new_inputs), []
        for shots in self.shots:
            figures = run.evaluate(
                data, new=new_inputs, shots=shots, ways=self.ways, queries=self.queries, episodes=self.episodes,
                split=self.split, missing={"*": self.missing} if self.missing else None, save=False,
            ).figures  # fmt: skip
            records += [figure.to_json() for figure in figures if figure.metric in ("accuracy", "accuracy_improvement")]
        summary = run.summary()
        return {"steps": summary["step"], "seconds": round(summary["seconds"], 1), "figures": records}


def table(records: Mapping[str, dict[str, Any]], shots: Sequence[int]) -> list[str]:
    """One line for each input and number of shots."""
    lines = ["| new input | shots | without it | with it | improvement |", "| --- | --: | --: | --: | --: |"]
    for name, record in records.items():
        for k in shots:
            of = [figure for figure in record["figures"] if figure["shots"] == k]
            plain, met = (studies.cell(of, metric="accuracy", new=new) for new in ([], [name]))
            improvement = studies.cell(of, metric="accuracy_improvement")
            sign = "" if improvement.startswith("-") else "+"
            lines.append(f"| {name} | {k} | {plain} | {met} | {sign}{improvement} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--new", default=",".join(INPUTS), help="the inputs to leave out in turn, joined by commas")
    parser.add_argument("--shots", default="1,5,10", help="support rows a class, joined by commas")
    parser.add_argument("--steps", type=int, default=450, help="meta-training steps of each run")
    parser.add_argument("--episodes", type=int, default=400, help="tasks that a figure is taken over")
    parser.add_argument("--split", default="test", help="val to choose by, test to report")
    parser.add_argument("--missing", type=float, default=0.0, help="share of the known inputs' cells taken away")
    parser.add_argument("--table", type=Path, help="`glyphs`; made in the folder of trainings by default")
    parser.add_argument("--runs", type=Path, default=Path("runs/new_modality"), help="folder of the trainings")
    parser.add_argument("--json", type=Path, default=Path("new_modality.json"), help="figures; those there are kept")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    glyphs = args.table or args.runs / "glyphs.csv"
    if not glyphs.exists():
        make("glyphs", glyphs, sound=True)
    shots = tuple(int(k) for k in args.shots.split(","))
    study = NewInput(args.steps, args.episodes, shots, args.split, missing=args.missing)
    records = studies.Records(args.json, study)  # type: ignore[arg-type]
    for name in records.missing(args.new.split(","), again=False):
        records.add(name, study.evaluate(study.trained(glyphs, name, args.runs / name), name))
        print("\n".join(table(records.by_name, shots)), flush=True)
    studies.report(table(records.by_name, shots), args.markdown)


if __name__ == "__main__":
    main()
