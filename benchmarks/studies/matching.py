"""Match pairs of sentences about drawn scenes: how alike the scenes are, and whether both sentences are of one picture.

The pairs are made of the captions of the world `scenes`, which also says what is in each picture: a third are two
sentences about one picture, a third about two pictures that show the same thing without a common name, a third about
any two. No picture, and no invented word, is in two parts. Every method learns the same test tasks from the same few
pairs. Figures are kept in a JSON file, and trainings in their folder, so that the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import studies
import torch
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression

from omnishot.episodes.loader import Loader, Shape
from omnishot.evaluation.figure import interval
from omnishot.experiment.dataset import Dataset
from omnishot.metrics.relatedness import relatedness_figures
from omnishot.runs.run import Run
from omnishot.worlds import make

TRAITS = ("colour", "shape", "texture", "size")
#: Pairs of a part.
PAIRS = {"train": 9000, "val": 1000, "test": 3000}
TEXT = {"width": 48, "vocabulary": 600, "max_tokens": 32}
COMMON: dict[str, Any] = {"objective": "match", "tasks": 4, "queries": 20, "lr": 2e-3, "val_episodes": 20, "text": TEXT}
#: What is asked for beside, by the target that is predicted and by the method.
METHODS: dict[str, dict[str, dict[str, Any]]] = {
    "similarity": {
        "anil": {"learner": "anil", "shots": 20},
        "anil, own encoders, concat": {"learner": "anil", "shots": 20, "fusion": "concat", "shared": False},
    },
    "relation": {"protonet": {"shots": 10, "queries": 10}},
}
BASELINE = "TF-IDF cosine"
#: Figures, mean and half-width of the interval, of a run on test tasks.
Evaluate = Callable[[Run, Dataset, str, int], dict[str, list[float]]]
FIGURES = {"similarity": ("pearson", "spearman", "mse"), "relation": ("accuracy",)}


def alike(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> float:
    """How alike the things of two scenes are, 1 to 5: the share of equal traits under the best assignment of things."""
    equal = np.array([[np.mean([x[t] == y[t] for t in TRAITS]) for y in b] for x in a])
    rows, columns = linear_sum_assignment(-equal)
    return 1 + 4 * float(equal[rows, columns].sum()) / max(len(a), len(b))


def pairs(scenes: Path, out: Path, seed: int = 0) -> Path:
    """A table of pairs of sentences of a table of scenes: `sentence_a`, `sentence_b`, `similarity`, `relation`."""
    with scenes.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["caption"]]
    things = [json.loads(row["_scene"])["things"] for row in rows]
    captions = [json.loads(row["caption"]) for row in rows]
    rng = np.random.default_rng(seed)
    with out.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sentence_a", "sentence_b", "similarity", "relation", "split"])
        for part, count in PAIRS.items():
            own = [i for i, row in enumerate(rows) if row["split"] == part]
            of_concept: dict[str, list[int]] = {}
            for i in own:
                of_concept.setdefault(rows[i]["concept"], []).append(i)
            for number in range(count):
                a = int(rng.choice(own))
                b = (a, int(rng.choice(of_concept[rows[a]["concept"]])), int(rng.choice(own)))[number % 3]
                first, second = rng.integers(len(captions[a])), rng.integers(len(captions[b]))
                if a == b and first == second:
                    second = (first + 1) % len(captions[a])
                relation = "same picture" if a == b else "another picture"
                score = round(alike(things[a], things[b]), 3)
                table.writerow([captions[a][first], captions[b][second], score, relation, part])
    return out


def evaluate(run: Run, data: Dataset, target: str, episodes: int) -> dict[str, list[float]]:
    """The figures of a run on test tasks."""
    result = run.evaluate(data, episodes=episodes, queries=20, subsets=False, save=False, shots=_shots(run))
    return {f.metric: [f.mean, f.ci95] for f in result.figures if f.metric in FIGURES[target]}


def _shots(run: Run) -> int:
    assert isinstance(run.config.shots, int)
    return run.config.shots


def tasks(run: Run, data: Dataset, episodes: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Support and query rows of the test tasks that `evaluate` draws."""
    source = data.tasks("test", _shots(run), 20)
    at_once = min(8, episodes)  # as an evaluation draws them
    loader = Loader(data.store, source.source, Shape(at_once, source.ways, _shots(run), 20), seed=0)
    draws = (loader.rows(step) for step in range(math.ceil(episodes / at_once)))
    return [task for draw in draws for task in zip(draw.support, draw.query, strict=True)][:episodes]


def cosines(data: Dataset) -> np.ndarray:
    """The cosine of both sentences' TF-IDF vectors, the weights being of the sentences of all parts, `[rows, 1]`."""
    a, b = (data.table.frame[name].tolist() for name in ("sentence_a", "sentence_b"))
    weigh = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True).fit([*a, *b])
    return np.asarray(weigh.transform(a).multiply(weigh.transform(b)).sum(1))


def baseline(run: Run, data: Dataset, target: str, episodes: int) -> dict[str, list[float]]:
    """The same tasks learned from the cosine of both sentences alone: by a line, or a logistic one."""
    x, column = cosines(data), data.table.frame[target].to_numpy()
    drawn = tasks(run, data, episodes)
    if target == "relation":
        right = [LogisticRegression(C=1e3).fit(x[s], column[s]).score(x[q], column[q]) for s, q in drawn]
        return {"accuracy": list(interval(right))}
    y = column.astype(float)
    predicted = [(LinearRegression().fit(x[s], y[s]).predict(x[q]), y[q]) for s, q in drawn]
    return {name: list(figure) for name, figure in relatedness_figures(predicted).items()}


def table(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line a method and target."""
    lines = ["| target | method | figures | seconds of training |", "| --- | --- | --- | --: |"]
    for name, record in records.items():
        target, _, method = name.partition(": ")
        figures = ", ".join(f"{n} {m:.3f} ± {c:.3f}" for n, (m, c) in record["figures"].items())
        lines.append(f"| {target} | {method} | {figures} | {record['seconds']:.0f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--scenes", type=Path, help="a table of the world scenes; by default made here")
    parser.add_argument("--steps", type=int, default=1500, help="meta-training steps of each")
    parser.add_argument("--episodes", type=int, default=300, help="test tasks")
    parser.add_argument("--targets", default=",".join(METHODS), help="joined by commas")
    parser.add_argument("--runs", type=Path, default=Path("runs/matching"), help="folder of tables and trainings")
    parser.add_argument("--json", type=Path, default=Path("matching.json"), help="figures; those there are kept")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.runs.mkdir(parents=True, exist_ok=True)
    source = args.runs / "pairs.csv"
    if not source.exists():
        scenes = args.scenes or make("scenes", args.runs / "scenes.csv")
        pairs(scenes, source)
    records = json.loads(args.json.read_text()) if args.json.exists() else {}

    for target in args.targets.split(","):
        for method, options in METHODS[target].items():
            folder = args.runs / target / method.replace(", ", "-").replace(" ", "-")
            run = trained(source, target, options, args.steps, folder)
            data, summary = run.dataset(), run.summary()
            works: dict[str, tuple[Evaluate, dict[str, Any]]] = {
                BASELINE: (baseline, {"step": 0, "seconds": 0.0}),
                method: (evaluate, {name: summary[name] for name in ("step", "seconds")}),
            }
            for name, (work, about) in works.items():
                if f"{target}: {name}" not in records:
                    figures = work(run, data, target, args.episodes)
                    records[f"{target}: {name}"] = {"figures": figures, "episodes": args.episodes, **about}
                    args.json.write_text(json.dumps(records, indent=2))
                    print("\n".join(table(records)), flush=True)


def trained(source: Path, target: str, options: Mapping[str, Any], steps: int, folder: Path) -> Run:
    """The run of a method, from where an interrupted one stands."""
    inputs = ["sentence_a", "sentence_b"]
    own = {**COMMON, "val_every": max(1, steps // 4), "steps": steps, **options}
    return studies.train_or_resume(source, folder, target=target, inputs=inputs, **own)


if __name__ == "__main__":
    main()
