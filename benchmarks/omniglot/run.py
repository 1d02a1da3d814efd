"""One method on Omniglot by its paper's protocol: meta-train, select on validation characters, read the test part once.

    omnishot data import omniglot DIR --out omniglot.csv
    python benchmarks/omniglot/run.py omniglot.csv --method protonet --cell 5w1s --out runs

A cell is 1,000 test tasks with 15 query rows a class, seed 0. `--steps` and `--inductive` depart from the recipe, and
the result says so. A run that was interrupted goes on. `--table` writes the README from all results.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from recipes import CELLS, COMMON, METHODS, Recipe

import omnishot as om
from omnishot.runs.run import Run

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parent / "README.md"
EPISODES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", nargs="?", help="what `omnishot data import omniglot` wrote")
    parser.add_argument("--method", choices=METHODS)
    parser.add_argument("--cell", nargs="+", default=["5w1s"], choices=[_name(*cell) for cell in CELLS])
    parser.add_argument("--steps", type=int, help="meta-training steps, if not the recipe's")
    parser.add_argument("--inductive", action="store_true", help="layer norm in place of batch norm")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="where the run folders are")
    parser.add_argument("--table", action="store_true", help="write the README's table from all results")
    args = parser.parse_args()
    for cell in args.cell if args.method else ():
        ways, shots = (int(number) for number in cell.removesuffix("s").split("w"))
        train_and_evaluate(args.csv, args.method, ways, shots, args.steps, args.inductive, args.out)
    if args.table:
        README.write_text(table(), encoding="utf-8")


def train_and_evaluate(
    csv: str, method: str, ways: int, shots: int, steps: int | None, inductive: bool, out: Path
) -> None:
    """Train (or go on, or take the finished run), evaluate one cell, write its result."""
    recipe = METHODS[method].recipe(ways, shots)
    steps = steps or recipe.steps
    image = COMMON["image"] | recipe.image | ({"norm": "layer"} if inductive else {})
    options = COMMON | recipe.options | {"learner": recipe.learner, "image": image, "steps": steps}
    folder = out / _folder(method, recipe, options, steps, inductive)
    if not (folder / "done").exists():
        every = max(1, steps // 12)
        began = (folder / "config.toml").exists()
        om.train(csv, out=folder, resume=began, progress=True, **options, val_every=every, val_episodes=60)
        (folder / "done").touch()
    run = Run.load(folder)
    for name, value in recipe.evaluated.items():
        setattr(run.learner, name, value)
    figure = run.evaluate(ways=ways, shots=shots, queries=15, episodes=EPISODES, subsets=False).figures[0]
    result = {
        "method": method,
        "cell": _name(ways, shots),
        "published": METHODS[method].published.get((ways, shots)),
        "figure": figure.to_json(),
        "steps": steps,
        "published steps": recipe.published_steps,
        "training seconds": round(run.summary()["seconds"]),
        "threads": torch.get_num_threads(),
        "options": options,
        "curve": _curve(folder),
    }
    RESULTS.mkdir(exist_ok=True)
    name = f"{method}-{'inductive-' if inductive else ''}{_name(ways, shots)}.json"
    (RESULTS / name).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(figure)


def table() -> str:
    """The README: a row for each method and kind, a column for each cell."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    names = [_name(*cell) for cell in CELLS]
    head = ["| method | kind | " + " | ".join(names) + " | trained |", "|---" * (len(names) + 3) + "|"]
    lines = []
    for method, about in METHODS.items():
        if about.published:
            kind = "transductive" if about.transductive else "inductive"
            cells = [about.published[cell] for cell in CELLS]
            lines.append(f"| {method}, {about.paper} | {kind}, published | {' | '.join(cells)} | |")
        for transductive in (False, True):
            own = {
                r["cell"]: r for r in results if r["method"] == method and r["figure"]["transductive"] == transductive
            }
            if own:
                kind = "transductive" if transductive else "inductive"
                cells = [_cell(own.get(name)) for name in names]
                lines.append(f"| {method} | {kind}, ours | {' | '.join(cells)} | {_trained(own)} |")
    cells: dict[str, list[str]] = {}  # by curve: cells of one training share it
    for r in results:
        curve = ", ".join(f"{step}: {100 * value:.1f}" for step, value in r["curve"])
        cells.setdefault(f"{r['method']} {{}}: {curve}", []).append(r["cell"])
    curves = ["- " + line.format(", ".join(named)) for line, named in cells.items()]
    text = (Path(__file__).parent / "about.md").read_text(encoding="utf-8")
    return text.replace("TABLE", "\n".join(head + lines)).replace("CURVES", "\n".join(curves))


def _cell(result: dict[str, Any] | None) -> str:
    return f"{100 * result['figure']['mean']:.2f} ± {100 * result['figure']['ci95']:.2f}" if result else "–"


def _trained(own: dict[str, dict[str, Any]]) -> str:
    """Steps done of those published, and time."""
    texts = dict.fromkeys(
        f"{r['steps']:,}{' of ' + format(r['published steps'], ',') if r['published steps'] else ''} steps, "
        f"{r['training seconds'] / 60:.0f} min"
        for r in own.values()
    )
    return "; ".join(texts)


def _curve(folder: Path) -> list[tuple[int, float]]:
    """Validation accuracy by step."""
    lines = (json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [(line["step"], line["val_accuracy"]) for line in lines if "val_accuracy" in line]


def _folder(method: str, recipe: Recipe, options: dict[str, Any], steps: int, inductive: bool) -> str:
    """One for each training; cells that are trained alike share it."""
    name = f"{options['ways']}w{options['shots']}s-{steps}"
    return f"{method}-{'inductive-' if inductive else ''}{name}"


def _name(ways: int, shots: int) -> str:
    return f"{ways}w{shots}s"


if __name__ == "__main__":
    main()
