"""What probabilities are worth: calibration before and after temperature, the surest rows, rows of no class at hand.

Meta-trains each learner on each table for a short time, fits its temperature on the validation tasks as every training
does, and evaluates it on new tasks of the test part. Figures are kept in the JSON file and trainings in their folder,
so that the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import omnishot as om
from omnishot.objectives.calibration import BINS

GOAL = 0.02  # calibration error after temperature
COLUMNS = {
    "accuracy": "accuracy",
    "calibration_error_raw": "calibration error, T = 1",
    "calibration_error": "after temperature",
    "accuracy_at_coverage_80": "accuracy on the surest 80%",
    "open_set_auroc": "open-set AUROC, highest score",
    "open_set_auroc_confidence": "highest probability",
}


def evaluate(
    table: Path, target: str, learner: str, options: dict[str, Any], test: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Train (or go on), evaluate; the figures and what the temperature came to.

    Args:
        options, test: options of `om.train` and `Run.evaluate`.
    """
    resume = (folder / "config.toml").exists()
    run = om.train(table, target=target, learner=learner, out=folder, resume=resume, **options)
    figures = run.evaluate(subsets=False, **test).to_json()
    summary = run.summary()
    about = {"table": table.stem, "learner": learner, "modalities": summary["modalities"]}
    how = {"steps": summary["step"], "seconds": round(summary["seconds"], 1)}
    return about | how | {"temperature": summary["tuned"]["temperature"], "figures": figures}


def line(record: dict[str, Any]) -> str:
    """A record as a row of the table, in percent."""
    by = {figure["metric"]: figure for figure in record["figures"]}
    cells = [f"{100 * by[name]['mean']:.1f} ± {100 * by[name]['ci95']:.1f}" for name in COLUMNS]
    reached = "yes" if by["calibration_error"]["mean"] <= GOAL else "**no**"
    inputs = ", ".join(record["modalities"])
    return (
        f"| {record['table']} ({inputs}) | {record['learner']} | {' | '.join(cells)} | {record['temperature']:.2f} | "
        f"{reached} | {record['steps']:,} |"
    )


def table_of(records: Sequence[dict[str, Any]]) -> str:
    """All records as a Markdown table."""
    head = f"| table | learner | {' | '.join(COLUMNS.values())} | T | at most {GOAL:.0%}? | steps |"
    return "\n".join([head, f"| --- | --- | {'--: | ' * len(COLUMNS)}--: | --- | --: |", *map(line, records)])


def kept(path: Path, study: dict[str, Any]) -> list[dict[str, Any]]:
    """The records that the file has, if they are of the same study."""
    if not path.exists():
        return []
    saved = json.loads(path.read_text(encoding="utf-8"))
    if saved["study"] != study:
        raise SystemExit(f"{path} has figures of another study, {saved['study']}: give --json another file")
    return saved["records"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("tables", nargs="+", metavar="TABLE:TARGET", help="tables, each with the column to predict")
    parser.add_argument("--learners", default="protonet,r2d2", help="joined by commas")
    parser.add_argument("--steps", type=int, default=400, help="of meta-training, each of two tasks")
    parser.add_argument("--ways", type=int, default=5)
    parser.add_argument("--shots", type=int, default=1)
    parser.add_argument("--queries", type=int, default=5, help="query rows a class")
    parser.add_argument("--open-set", type=int, default=5, help="classes whose rows belong to none of the task's")
    parser.add_argument("--val-episodes", type=int, default=100, help="validation tasks")
    parser.add_argument("--episodes", type=int, default=600, help="test tasks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs") / "uncertainty", help="folder of the trainings")
    parser.add_argument("--json", type=Path, default=Path("uncertainty.json"), help="figures; those there are kept")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    shape = {"ways": args.ways, "shots": args.shots, "queries": args.queries}
    options = shape | {"steps": args.steps, "lr": 3e-3, "val_episodes": args.val_episodes, "seed": args.seed}
    options |= {"val_every": max(1, args.steps // 4), "image": {"size": 28}, "device": "cpu"}
    test = shape | {"episodes": args.episodes, "open_set": args.open_set, "seed": args.seed}
    study = {"training": options, "test": test, "bins": BINS}
    records = kept(args.json, study)
    for given in args.tables:
        table, _, target = given.rpartition(":")
        for learner in args.learners.split(","):
            if any((r["table"], r["learner"]) == (Path(table).stem, learner) for r in records):
                continue
            folder = args.runs / f"{Path(table).stem}-{learner}"
            records.append(evaluate(Path(table), target, learner, options, test, folder))
            args.json.write_text(json.dumps({"study": study, "records": records}) + "\n", encoding="utf-8")
            print(line(records[-1]), flush=True)
    text = table_of(records)
    print(text)
    if args.markdown:
        args.markdown.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
