"""Voices that training never heard: their words from 1 and 5 examples, what they say before and after ten utterances.

Words and sentences of the world `accents`, and real recordings (FSDD); a speaker is in one part only. A learner is
selected on validation voices; the test voices are read once. Figures are kept in the JSON file and trainings in their
folder, so that the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import studies
import torch

from omnishot.datasets import read
from omnishot.experiment.dataset import Dataset
from omnishot.runs.run import Run
from omnishot.worlds import make

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: Ten words a task.
WORDS: dict[str, Any] = {"target": "word", "group": "voice", "ways": 10, "shots": 1, "queries": 5, "tasks": 4}
WORDS |= {"lr": 3e-3, "val_episodes": 40}
#: A part of the sound every 40 ms, short enough to write a character down.
TEXTS: dict[str, Any] = {"objective": "transcribe", "shots": 10, "queries": 5, "tasks": 2, "audio": {"times": 4}}
TEXTS |= {"lr": 2e-3, "val_every": 100, "val_episodes": 4, "objective_options": {"beam": 1, "longest": 50}}
#: Validation tasks that a way to adapt is chosen on.
CHOOSING = 8
SPEAKER = {"group": "speaker", "target": "word"}


@dataclass(frozen=True)
class Setting:
    """A table, how learners are trained on it, and what they are chosen on its test part.

    Args:
        table: a key of `tables`.
        common, learners: options of all trainings, and of each by its label.
        tests: what is chosen on the test part, as `Run.evaluate` takes it.
        fewer: learners that are measured on so many tasks at most, where adapting is slow.
        choices: ways to adapt, as attributes of the learner, of which validation tasks choose one.
    """

    table: str
    common: Mapping[str, Any]
    learners: Mapping[str, Mapping[str, Any]]
    tests: Sequence[Mapping[str, Any]]
    fewer: Mapping[str, int] = field(default_factory=dict)
    choices: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


RECOGNISERS: dict[str, dict[str, Any]] = {
    "protonet": {"learner": "protonet", "steps": 600},
    "finetune": {"learner": "finetune", "steps": 200, "fit_steps": 5},
    "scratch": {"learner": "scratch", "fit_steps": 20, "fit_lr": 3e-3},
}
ONE_AND_FIVE = [{"shots": 1, "queries": 3}, {"shots": 5, "queries": 3}]
BEFORE_AND_AFTER = [{"adapted": adapted, "queries": 10} for adapted in (False, True)]
#: Instead of writing along the sound: a decoder that looks where it wants, a character at a time.
ATTENTION = {"decoder": "transformer", "beam": 1, "longest": 50}
#: Steps of Adam on ten utterances, and their size.
GOING_ON = [{"fit_steps": n, "fit_lr": rate} for n, rate in ((5, 1e-3), (5, 3e-3), (10, 1e-3))]
SLOW = {"finetune": 100, "scratch": 20}
FEW = {name: one | {"steps": 200} for name, one in RECOGNISERS.items()}
SETTINGS = {
    "unseen voice, words": Setting("words-voices", WORDS, RECOGNISERS, ONE_AND_FIVE, SLOW),
    "unseen language, words": Setting("words-languages", WORDS, FEW, ONE_AND_FIVE, SLOW),
    "unseen speaker, FSDD words": Setting("fsdd", WORDS | SPEAKER, FEW, ONE_AND_FIVE, SLOW),
    "unseen voice, sentences": Setting(
        "sentences-voices",
        TEXTS | {"target": "text", "group": "voice", "steps": 800},
        {"finetune": {"learner": "finetune", "fit_steps": 5}},
        BEFORE_AND_AFTER,
        {"finetune": 48},
        {"finetune": GOING_ON},
    ),
    "unseen speaker, FSDD texts": Setting(
        "fsdd",
        TEXTS | SPEAKER | {"steps": 250},
        {
            "finetune": {"learner": "finetune", "fit_steps": 5},
            "maml": {"learner": "maml", "inner_steps": 2, "second_order": False, "inner_lr": 0.03},
            "attention": {"learner": "finetune", "fit_steps": 5, "objective_options": ATTENTION},
        },
        BEFORE_AND_AFTER,
        {"finetune": 100, "maml": 100, "attention": 100},
        {"finetune": GOING_ON, "attention": GOING_ON},
    ),
}


@dataclass(frozen=True)
class Speech:
    """How learners are trained and judged; `steps` and `episodes` are upper bounds."""

    steps: int
    episodes: int
    split: str = "test"
    finish: bool = True
    settings: Mapping[str, Setting] = field(default_factory=lambda: SETTINGS)

    def to_json(self) -> dict[str, Any]:
        """All that figures depend on beside the learner."""
        return {"steps": self.steps, "episodes": self.episodes, "split": self.split}  # a record has the rest

    def trained(self, setting: Setting, label: str, table: Path, folder: Path) -> Run:
        """A learner's run, from where an interrupted one stands; or that one as it is, if it is not to `finish`."""
        if (folder / "config.toml").exists() and not self.finish:
            return Run.load(folder)
        options = {**setting.common, **setting.learners[label]}
        return studies.train_or_resume(table, folder, **options | {"steps": min(self.steps, options["steps"])})

    def chosen(self, setting: Setting, label: str, run: Run, data: Dataset) -> dict[str, Any]:
        """The way to adapt with the least error on validation tasks, set on the run's learner; and all errors."""
        errors = {}
        for choice in setting.choices.get(label, ()):
            vars(run.learner).update(choice)
            test = {"split": "val", "episodes": min(self.episodes, CHOOSING)}
            errors[json.dumps(choice)] = run.evaluate(data, save=False, **test).mean
        best = json.loads(min(errors, key=errors.__getitem__)) if errors else {}
        vars(run.learner).update(best)
        return {"adapting": best, "validation_errors": errors}

    def evaluate(self, setting: Setting, label: str, run: Run) -> dict[str, Any]:
        """A record of the run: how it was trained, and its figures under every test."""
        episodes = min(self.episodes, setting.fewer.get(label, self.episodes))
        data, figures = run.dataset(), []
        chosen = self.chosen(setting, label, run, data)
        for test in setting.tests:
            own = {"episodes": episodes, "split": self.split} | test
            figures += [figure.to_json() for figure in run.evaluate(data, save=False, **own).figures]
        summary = run.summary()
        how: dict[str, Any] = {
            "options": run.config.to_options(),
            "steps": summary["step"],
            "best_step": summary["best_step"],
        }
        return (
            how | chosen | {"validation": summary["best"], "seconds": round(summary["seconds"], 1), "figures": figures}
        )


def tables(folder: Path, fsdd: Path | None) -> dict[str, Path]:
    """Where each table is; made there unless it exists. FSDD's digits are written as words."""
    paths = {name: folder / f"{name}.csv" for name in ("words-voices", "words-languages", "sentences-voices")}
    options: dict[str, dict[str, Any]] = {
        "words-voices": {"words": 20, "takes": 8},
        "words-languages": {"words": 20, "takes": 8, "unseen": "languages"},
        "sentences-voices": {"form": "sentences"},
    }
    for name, path in paths.items():
        if not path.exists():
            make("accents", path, **options[name])
    paths["fsdd"] = folder / "fsdd.csv"
    if fsdd is not None and not paths["fsdd"].exists():
        read("fsdd", fsdd, folder / "digits.csv", val_speaker="nicolas")
        words = pd.read_csv(folder / "digits.csv")
        words["word"] = [DIGITS[digit] for digit in words.pop("digit")]
        words.to_csv(paths["fsdd"], index=False)
    return paths


def table(name: str, setting: Setting, records: Mapping[str, dict[str, Any]]) -> list[str]:
    """The figures of a setting, a line for each learner; of errors, less is better."""
    texts = setting.common.get("objective") == "transcribe"
    metrics = ("character_error_rate", "word_error_rate") if texts else ("accuracy",)
    heads, columns = [], []
    for test in setting.tests:
        for metric in metrics:
            when = f"{test['shots']}-shot" if "shots" in test else "after" if test["adapted"] else "before"
            heads.append(f"{when} ({metric.replace('_', ' ')})" if texts else when)
            columns.append({"metric": metric, **{key: test[key] for key in ("shots", "adapted") if key in test}})
    lines = [f"**{name}**", "", f"| learner | {' | '.join(heads)} | tasks | steps |"]
    lines.append(f"| --- | {'--: | ' * len(heads)}--: | --: |")
    for label in setting.learners:
        if record := records.get(f"{name}: {label}"):
            cells = [studies.cell(record["figures"], **one) for one in columns]
            tasks = record["figures"][0]["episodes"]
            lines.append(f"| {label} | {' | '.join(cells)} | {tasks} | {record['steps']} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--fsdd", type=Path, help="the folder that holds FSDD as published; without it, not measured")
    parser.add_argument("--settings", default=",".join(range_of(SETTINGS)), help="their numbers, joined by commas")
    parser.add_argument("--learners", help="joined by commas (all)")
    parser.add_argument("--steps", type=int, default=10_000, help="at most so many steps of each training")
    parser.add_argument("--episodes", type=int, default=300, help="at most so many test tasks a figure")
    parser.add_argument("--split", default="test", help="val to choose by, test to report")
    parser.add_argument("--unfinished", action="store_true", help="measure trainings that were stopped as they are")
    parser.add_argument("--tables", type=Path, default=Path("runs/speech/tables"), help="folder of the tables")
    parser.add_argument("--runs", type=Path, default=Path("runs/speech"), help="folder of the trainings")
    parser.add_argument("--json", type=Path, default=Path("speech.json"), help="figures; those there are kept")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    study, places = Speech(args.steps, args.episodes, args.split, not args.unfinished), tables(args.tables, args.fsdd)
    records, names = studies.Records(args.json, study), list(SETTINGS)  # type: ignore[arg-type]
    for number in args.settings.split(","):
        name = names[int(number) - 1]
        setting = SETTINGS[name]
        if not places[setting.table].exists():
            continue
        chosen = args.learners.split(",") if args.learners else list(setting.learners)
        for label in records.missing((f"{name}: {one}" for one in chosen if one in setting.learners), again=False):
            one = label.removeprefix(f"{name}: ")
            folder = args.runs / f"{number}-{one}"
            run = study.trained(setting, one, places[setting.table], folder)
            records.add(label, study.evaluate(setting, one, run))
            print("\n".join(table(name, setting, records.by_name)), flush=True)
    text = "\n\n".join("\n".join(table(name, setting, records.by_name)) for name, setting in SETTINGS.items())
    print(text)
    if args.markdown:
        args.markdown.write_text(text + "\n", encoding="utf-8")


def range_of(settings: Mapping[str, Setting]) -> list[str]:
    """The numbers that settings are chosen for by."""
    return [str(number) for number, _ in enumerate(settings, 1)]


if __name__ == "__main__":
    main()
