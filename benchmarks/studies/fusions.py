"""Every way to bring a row's inputs together, on three sets of real and made rows, with more and more cells missing.

    python benchmarks/studies/fusions.py SHARED_DATA

`letters` is the world `glyphs` (picture, sound, text), `strokes` Omniglot with the pen's path (image, series), `digits`
the spoken digits of FSDD (sound, and numbers measured on it: length, loudness, pitch and spread of the spectrum), with
speakers as tasks. Training and validation rows have a share of their cells blanked once and for all, as a table with
holes has them; a row keeps one. Test tasks lose a share anew. All variants have the same learner, steps and tasks, and
are judged on the same tasks. Figures are kept, so that the command goes on where it was stopped. The default is chosen
by the figures on validation tasks, whose rows have the same share of holes as the training rows.

Takes the folder that holds Omniglot and FSDD as published.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import torch

import omnishot as om
from omnishot.datasets import read
from omnishot.episodes.missing import ALL, remove
from omnishot.nn.fusion import FUSIONS
from omnishot.worlds import make

SHARES = (0.0, 0.25, 0.5, 0.75)
TARGET = {"letters": "letter", "strokes": "character", "digits": "digit"}
NUMBERS = ("seconds", "loudness", "crossings", "centre", "spread")
#: What is compared, by name, as options of the training.
VARIANTS: dict[str, dict[str, Any]] = {
    name: {"fusion": name} for name in FUSIONS.names() if FUSIONS.load(name).takes is None
}
VARIANTS |= {
    "sum (gate)": {"fusion": "sum", "fuse": {"alpha": "gate"}},
    "sum (softmax)": {"fusion": "sum", "fuse": {"alpha": "softmax"}},
    "level early": {"level": "early"},
    "level token": {"level": "token"},
    "placeholder": {"imputation": "placeholder"},
    "impute": {"imputation": "impute", "auxiliary": {"reconstruct": 0.1}},
    "dropout 0.3": {"dropout": 0.3},
    "distil": {"auxiliary": {"distil": 0.5}},
    "infonce": {"auxiliary": {"infonce": 0.1}},
}


def sound_features(path: Path) -> dict[str, float]:
    """What numbers say of a recording."""
    sound, rate = soundfile.read(path)
    power = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / rate)
    centre = float((hertz * power).sum() / power.sum())
    crossings = float(np.mean(np.diff(np.signbit(sound).astype(int)) != 0))
    values = (len(sound) / rate, float(np.log(np.mean(sound**2) + 1e-8)), crossings, centre,
              float(np.sqrt(((hertz - centre) ** 2 * power).sum() / power.sum())))  # fmt: skip
    return dict(zip(NUMBERS, values, strict=True))


def whole(world: str, data: Path, folder: Path) -> Path:
    """The table of a world with all of its cells, made unless it is there."""
    path = folder / f"{world}.csv"
    if path.exists():
        return path
    if world == "letters":
        return make("glyphs", path)
    if world == "strokes":
        return read("omniglot-strokes", data / "omniglot", path)
    read("fsdd", data / "fsdd", path, val_speaker="nicolas")
    frame = pd.read_csv(path)
    numbers = pd.DataFrame([sound_features(folder / name) for name in frame["audio"]])
    pd.concat([frame, numbers], axis=1).to_csv(path, index=False)
    return path


def inputs_of(frame: pd.DataFrame) -> list[list[str]]:
    """The columns of each input."""
    media = [name for name in ("picture", "sound", "text", "image", "strokes", "audio") if name in frame]
    return [[name] for name in media] + ([list(NUMBERS)] if NUMBERS[0] in frame else [])


def with_holes(path: Path, fraction: float) -> Path:
    """The table whose training and validation rows lack a share of their cells."""
    out = path.with_name(f"{path.stem}-{round(100 * fraction)}.csv")
    if fraction == 0:
        return path
    if not out.exists():
        frame = pd.read_csv(path)
        columns = inputs_of(frame)
        here = np.stack([frame[own[0]].notna() for own in columns], 1)
        lacking = (frame["split"] != "test").to_numpy()
        names = [str(i) for i in range(len(columns))]
        here[lacking] = remove(here[lacking], names, {ALL: fraction}, np.random.default_rng(0))
        for i, own in enumerate(columns):
            frame.loc[~here[:, i], own] = None
        partial = out.with_suffix(".partial")
        frame.to_csv(partial, index=False)
        partial.replace(out)
    return out


def evaluate(world: str, variant: str, fraction: float, args: argparse.Namespace) -> dict[str, Any]:
    """Train one variant on a table with holes; its figures on validation and test tasks with holes."""
    holes = with_holes(whole(world, args.data, args.runs / "data"), fraction)
    folder = args.runs / f"{world}-{round(100 * fraction)}-{variant.replace(' ', '-')}"
    own = {"group": "speaker"} if world == "digits" else {"image": {"width": 32, "size": 28}}
    run = om.train(
        holes, target=TARGET[world], **own, out=folder, resume=(folder / "config.toml").exists(), progress=False,
        learner="protonet", ways=5, shots=1, queries=5, tasks=2, steps=args.steps, lr=2e-3, seed=args.seed,
        val_every=args.steps // 4, plan="vmap", **VARIANTS[variant],
    )  # fmt: skip
    records: list[dict[str, Any]] = []
    places = [("val", 0.0)] + [("test", missing) for missing in SHARES]
    for split, missing in places:  # validation rows have their own holes
        figures = run.evaluate(
            split=split, episodes=args.episodes, queries=5, missing={ALL: missing} if missing else None, subsets=False,
            save=False,
        )  # fmt: skip
        records.append(figures.figures[0].to_json())
    seconds = run.summary()["seconds"]
    shutil.rmtree(folder)
    return {"world": world, "variant": variant, "trained_missing": fraction, "seconds": seconds, "figures": records}


def table(records: Sequence[dict[str, Any]], world: str) -> list[str]:
    """One line a variant and share missing in training, one column a share missing in the test."""
    rows = {(r["variant"], r["trained_missing"]): r for r in records if r["world"] == world}
    shares = sorted({fraction for _, fraction in rows})
    lines = ["| | " + " | ".join(f"{s:.0%} → {t:.0%}" for s in shares for t in SHARES) + " | mean |"]
    lines.append("|---|" + "--:|" * (len(shares) * len(SHARES) + 1))
    scored = []
    for variant in VARIANTS:
        cells, means = [], []
        for fraction in shares:
            record = rows.get((variant, fraction))
            own = {f["missing"].get(ALL, 0.0): f for f in record["figures"] if f["split"] == "test"} if record else {}
            for missing in SHARES:
                figure = own.get(missing)
                cells.append(f"{100 * figure['mean']:.1f} ± {100 * figure['ci95']:.1f}" if figure else "–")
                means += [figure["mean"]] if figure else []
        if len(means) == len(cells):
            scored.append((np.mean(means), f"| {variant} | {' | '.join(cells)} | {100 * np.mean(means):.1f} |"))
    return lines + [line for _, line in sorted(scored, key=lambda each: -each[0])]


def standing(records: Sequence[dict[str, Any]]) -> list[str]:
    """What a default is chosen by: the mean of a variant's validation figures, of those measured everywhere."""
    places = {(r["world"], r["trained_missing"]) for r in records}
    lines = ["| | mean of all figures |", "|---|--:|"]
    scored = []
    for variant in VARIANTS:
        own = [r for r in records if r["variant"] == variant]
        if {(r["world"], r["trained_missing"]) for r in own} == places:
            means = [f["mean"] for r in own for f in r["figures"] if f["split"] == "val"]
            scored.append((np.mean(means), variant))
    return lines + [f"| {variant} | {100 * mean:.2f} |" for mean, variant in sorted(scored, reverse=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds Omniglot and FSDD as published")
    parser.add_argument("--worlds", default="letters,strokes,digits")
    parser.add_argument("--variants", default="", help="joined by commas; all unless said")
    parser.add_argument("--shares", default=",".join(map(str, SHARES)), help="of cells missing in training")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--episodes", type=int, default=200, help="tasks of every figure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs/fusions"), help="folder of tables and trainings")
    parser.add_argument("--json", type=Path, default=Path("fusions.json"), help="figures; those there are kept")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.runs.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = json.loads(args.json.read_text()) if args.json.exists() else []
    variants = args.variants.split(",") if args.variants else list(VARIANTS)
    for fraction in map(float, args.shares.split(",")):
        for world in args.worlds.split(","):
            for variant in variants:
                if any((r["world"], r["variant"], r["trained_missing"]) == (world, variant, fraction) for r in records):
                    continue
                records.append(evaluate(world, variant, fraction, args))
                args.json.write_text(json.dumps(records) + "\n", encoding="utf-8")
                means = [round(f["mean"], 3) for f in records[-1]["figures"]]
                print(world, fraction, variant, round(records[-1]["seconds"], 1), means, flush=True)
    worlds = list(dict.fromkeys(r["world"] for r in records))
    parts = [line for world in worlds for line in [f"### {world}", "", *table(records, world), ""]]
    parts += ["### Mean of all validation figures", "", *standing(records)]
    print("\n".join(parts))
    if args.markdown:
        args.markdown.write_text("\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
