"""Finding pictures by words and words by pictures, of classes and words that training never saw, beside CCA and chance.

`glyphs`: descriptions and pictures of letters of new alphabets; a gallery has one of each of 100 letters. `scenes`:
sentences and pictures of scenes, each with a word that training never saw; a gallery has 100 scenes. A run that aligns
the two inputs, one that does not, and canonical correlations, of which the setting that is best on the validation part
is tested, once. Figures are kept in a JSON file for each world and trainings in their folder, so that the command goes
on where it was stopped.
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

from omnishot.evaluation.retrieval import CHANCE
from omnishot.metrics.retrieval import AT
from omnishot.runs.run import Run
from omnishot.table.reading import read_table
from omnishot.table.writing import TableWriter
from omnishot.worlds import make

COMMON: dict[str, Any] = {"tasks": 1, "lr": 3e-3, "dim": 64}
PICTURE = {"size": 28, "width": 32, "pool": "stem"}
WORDS = {"encoder": "gru", "width": 32}
#: Options of each method: of several settings validation chooses.
METHODS: dict[str, list[dict[str, Any]]] = {
    "infonce": [{"auxiliary": {"infonce": 1.0}}],
    "sigmoid": [{"auxiliary": {"sigmoid": 1.0}}],
    "plain": [{}],
    "cca": [{"learner": "cca", "principal": principal} for principal in (16, 64)],
}


@dataclass(frozen=True)
class World:
    """A table, the two inputs that are found by one another, and how runs are trained on it."""

    table: Path
    inputs: tuple[str, str]
    options: Mapping[str, Any]
    right: str = "class"  # what is right to find
    cca: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # options of cca, which needs classes


@dataclass(frozen=True)
class Retrieval:
    """How runs are trained and judged."""

    steps: int
    episodes: int
    gallery: int = 100

    def to_json(self) -> dict[str, Any]:
        """All that figures depend on beside the method."""
        return dataclasses.asdict(self)

    def trained(self, world: World, options: Mapping[str, Any], folder: Path) -> Run:
        """The run of one setting, from where an interrupted one stands."""
        own = {"val_every": max(1, self.steps // 5), **COMMON, **world.options, "steps": self.steps}
        own |= (world.cca if options.get("learner") == "cca" else {}) | dict(options)
        return studies.train_or_resume(world.table, folder, inputs=world.inputs, **own)

    def judged(self, run: Run, world: World, split: str) -> list[dict[str, Any]]:
        """The figures of a part, as records."""
        result = run.retrieval(
            world.inputs, split=split, gallery=self.gallery, right=world.right, episodes=self.episodes, save=False
        )
        return result.to_json()

    def evaluate(self, world: World, settings: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Any]:
        """The best of some settings on the validation part, and its figures on the test part."""
        runs = [self.trained(world, options, folder / str(i)) for i, options in enumerate(settings)]
        tried = [score(self.judged(run, world, "val"), world.inputs) for run in runs] if len(runs) > 1 else [0.0]
        best = tried.index(max(tried))
        summary = runs[best].summary()
        return {
            "options": dict(settings[best]),
            "steps": summary["step"],
            "seconds": round(summary["seconds"], 1),
            "validation": {json.dumps(s): value for s, value in zip(settings, tried, strict=True)},
            "figures": self.judged(runs[best], world, "test"),
        }


def score(figures: Sequence[Mapping[str, Any]], inputs: tuple[str, str]) -> float:
    """What settings are chosen by: recall@10, the mean of both ways."""
    ways = [f"recall_at_10_{a}_to_{b}" for a, b in (inputs, inputs[::-1])]
    return sum(figure["mean"] for figure in figures if figure["metric"] in ways) / len(ways)


def table(inputs: tuple[str, str], records: Mapping[str, dict[str, Any]]) -> list[str]:
    """One line a method and direction, in order; chance last."""
    lines = [
        f"| trained | found | {' | '.join(f'R@{k}' for k in AT)} | median rank |",
        f"| --- | --- | {'--: | ' * len(AT)}--: |",
    ]
    named = [(name, "", records[name]["figures"]) for name in METHODS if name in records]
    named += [("chance", CHANCE, named[0][2])] if named else []
    for name, suffix, figures in named:
        for a, b in (inputs[::-1], inputs):
            of = {figure["metric"]: figure for figure in figures}
            recalls = [percent(of[f"recall_at_{k}_{a}_to_{b}{suffix}"]) for k in AT]
            rank = of[f"median_rank_{a}_to_{b}{suffix}"]["mean"]
            lines.append(f"| {name} | {a} → {b} | {' | '.join(recalls)} | {rank:g} |")
    return lines


def percent(figure: Mapping[str, Any]) -> str:
    """A figure in percent; without an interval where it has none."""
    return f"{100 * figure['mean']:.1f}" + (f" ± {100 * figure['ci95']:.1f}" if figure["ci95"] else "")


def pairs(scenes: Path, out: Path) -> Path:
    """The first sentence and the picture of every scene, and how many things are in it, which any learner predicts."""
    frame = read_table(scenes, modality={"caption": "text"}, target="concept").frame
    writer = TableWriter(out)
    for image, caption, concept, split, scene in frame[["image", "caption", "concept", "split", "_scene"]].itertuples(
        index=False
    ):
        sentence = json.loads(caption)[0] if isinstance(caption, str) else caption[0]
        picture = (scenes.parent / image).read_bytes()
        row = {"caption": sentence, "things": str(len(json.loads(scene)["things"])), "concept": concept, "split": split}
        writer.row(image=writer.media(Path(image).name, picture), **row)
    return writer.close()


def worlds(folder: Path, glyphs: Path | None = None, scenes: Path | None = None) -> dict[str, World]:
    """The worlds by name; tables are made in `folder` unless they are given or there."""
    letters, drawn, paired = glyphs or folder / "glyphs.csv", scenes or folder / "scenes.csv", folder / "pairs.csv"
    if not letters.exists():
        make("glyphs", letters)
    if not drawn.exists():
        make("scenes", drawn)
    if not paired.exists():
        pairs(drawn, paired)
    of_classes = {"target": "letter", "learner": "protonet", "ways": 20, "shots": 1, "queries": 2, "cross": 0.5}
    of_numbers = {"target": "things", "objective": "regress", "group": "concept", "learner": "r2d2"}
    of_numbers |= {"shots": 10, "queries": 10, "tasks": 4, "val_episodes": 20}
    as_classes = {"target": "concept", "objective": "classify", "group": None, "ways": 5, "shots": 1, "queries": 1}
    return {
        "glyphs": World(letters, ("picture", "text"), {**of_classes, "picture": PICTURE, "text": WORDS}),
        "scenes": World(
            paired,
            ("image", "caption"),
            {**of_numbers, "image": PICTURE | {"size": 40}, "caption": WORDS},
            "row",
            as_classes,
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--worlds", default="glyphs,scenes", help="joined by commas")
    parser.add_argument("--methods", default=",".join(METHODS), help="joined by commas")
    parser.add_argument("--steps", type=int, default=1000, help="meta-training steps of each")
    parser.add_argument("--episodes", type=int, default=600, help="galleries")
    parser.add_argument("--glyphs", type=Path, help="the table; made in the folder of runs by default")
    parser.add_argument("--scenes", type=Path, help="likewise")
    parser.add_argument("--runs", type=Path, default=Path("runs/retrieval"), help="folder of tables and trainings")
    parser.add_argument("--json", type=Path, default=Path("retrieval"), help="folder of figures; those there are kept")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    study, text = Retrieval(args.steps, args.episodes), []
    known = worlds(args.runs / "data", args.glyphs, args.scenes)
    for name in args.worlds.split(","):
        world, records = known[name], studies.Records(args.json / f"{name}.json", study)  # type: ignore[arg-type]
        for method in records.missing(args.methods.split(","), again=False):
            records.add(method, study.evaluate(world, METHODS[method], args.runs / name / method))
            print("\n".join(table(world.inputs, records.by_name)), flush=True)
        text += [*table(world.inputs, records.by_name), ""]
    print("\n".join(text))
    if args.markdown:
        args.markdown.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
