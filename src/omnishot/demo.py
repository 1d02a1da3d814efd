"""The whole story on generated data: make a world, meta-train, compare, adapt to a new alphabet, report."""

from __future__ import annotations

import dataclasses
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from omnishot.core.storage import write_json
from omnishot.errors import UsageError
from omnishot.evaluation.figure import Figure
from omnishot.html.markup import table as html_table
from omnishot.html.markup import text as html_text
from omnishot.report import Section, comparison, curves, write
from omnishot.runs.run import Run
from omnishot.training.train import train
from omnishot.worlds import make

TARGET = "letter"
#: Columns of the world that say something about a letter.
INPUTS = ("picture", "sound", "text")
EXAMPLES = 5  # rows of each letter that the new alphabet is learned from
#: Small encoders and short trainings: the whole demo is to take minutes on two cores.
COMMON: dict[str, Any] = {
    "queries": 2,
    "ways": 20,
    "tasks": 1,
    "lr": 3e-3,
    "val_every": 100,
    "val_episodes": 40,
    "picture": {"pool": "stem", "width": 32},
    "sound": {"width": 24},
}
#: Of the inner loop.
INNER: dict[str, Any] = {"steps": 500, "inner_steps": 1, "learned_inner_lr": "tensor", "second_order": True}


@dataclass(frozen=True)
class Job:
    """A training with its evaluation at 5-way 1-shot.

    Args:
        name: of its run folder.
        learner: by name.
        inputs: columns it sees.
        options: of the training.
        subsets: also evaluate each input alone and half of the cells missing.
    """

    name: str
    learner: str
    inputs: tuple[str, ...]
    options: Mapping[str, Any]
    subsets: bool = False

    def title(self) -> str:
        """What the comparison calls it."""
        return self.learner if len(self.inputs) > 1 else f"{self.learner}, trained on {self.inputs[0]} only"

    def shortened(self, times: int) -> Job:
        """The same with so many times fewer steps."""
        steps = {"steps": self.options["steps"] // times} if "steps" in self.options else {}
        return dataclasses.replace(self, options={**self.options, **steps})


def jobs(inputs: Sequence[str]) -> list[Job]:
    """What the demo compares, the longest first. The first is the one it goes on with."""
    together = tuple(inputs)
    alone = [Job(f"protonet-{name}", "protonet", (name,), {"steps": 500}) for name in inputs]
    return [
        Job("protomaml", "protomaml", together, INNER, subsets=True),
        Job("scratch", "scratch", together, {"fit_steps": 5}),
        Job("protonet", "protonet", together, {"steps": 500}),
        Job("finetune", "finetune", together, {"steps": 300, "fit_steps": 5}),
        *alone,
        Job("logreg", "logreg", together, {}),
        Job("centroid", "centroid", together, {}),
    ]


def demo(out: str | Path = "omnishot-demo", seed: int = 0, episodes: int = 600, quick: bool = False) -> Path:
    """Make the world `glyphs`, compare learners on it, adapt the best-known to a new alphabet, write a report.

    Args:
        out: folder for the table, the runs, the model and `report.html`; it must be new or empty.
        seed: of everything random.
        episodes: test episodes of each figure.
        quick: a twentieth of the training and of the episodes: to see that everything works, not for its figures.

    Returns:
        The report's path.

    Raises:
        UsageError: if the folder holds something already.
    """
    folder, console = Path(out), Console(stderr=True)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty: give another folder with --out, or remove it")
    began = time.perf_counter()
    console.print("[bold]1[/] Making the world glyphs: letters as pictures, spoken names and descriptions")
    table = make("glyphs", folder / "glyphs.csv", seed=seed, rows_per_letter=12, progress=console.is_terminal)
    frame = pd.read_csv(table)
    inputs = [name for name in INPUTS if name in frame]
    console.print(f"  {len(frame):,} rows, {frame[TARGET].nunique()} letters, no alphabet in two parts")
    console.print("[bold]2[/] Meta-training and evaluating, two trainings at a time")
    todo = jobs(inputs)
    if quick:
        episodes, todo = episodes // 20, [job.shortened(20) for job in todo]
    records = _run_all(todo, table, folder, seed, episodes, console)
    write_json(folder / "comparison.json", [record for own in records for record in own])
    groups = {job.title(): [Figure.from_json(r) for r in own] for job, own in zip(todo, records, strict=True)}
    figures = [figure for own in groups.values() for figure in own]
    console.print(_grid(figures))
    console.print("[bold]3[/] Adapting to an alphabet never seen")
    run = Run.load(folder / "protomaml")
    section, line = _adapt(run, frame, folder, seed)
    console.print(f"  {line}")
    console.print("[bold]4[/] Writing the report")
    curves(run, episodes=16, ways=5)
    verdict = _verdict(figures)
    extra = [Section("Learners and inputs compared", comparison(groups) + verdict), section]
    path = write(run, folder / "report.html", extra=extra, title="Omnishot demo: letters never seen before", ways=5)
    console.print(f"Done in {time.perf_counter() - began:.0f} s. Open [bold]{path}[/]")
    return path


def _run_all(
    todo: Sequence[Job], table: Path, folder: Path, seed: int, episodes: int, console: Console
) -> list[list[dict[str, Any]]]:
    """The figures of every job, run in two processes of one thread each; progress is read off the run folders."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool, _bars(console) as bars:
        rows = [bars.add_task(job.name, total=job.options.get("steps")) for job in todo]
        futures = [pool.submit(_run, job, table, folder, seed, episodes) for job in todo]
        while not all(future.done() for future in futures):
            for job, row, future in zip(todo, rows, futures, strict=True):
                _show(bars, row, folder / job.name / "metrics.jsonl", future.done())
            time.sleep(0.5)
        for row in rows:
            bars.update(row, total=1, completed=1)
    return [future.result() for future in futures]


def _run(job: Job, table: Path, folder: Path, seed: int, episodes: int) -> list[dict[str, Any]]:
    """Train and evaluate one job; the figures as records."""
    torch.set_num_threads(1)
    options = {**COMMON, **job.options, "seed": seed}
    options = {name: value for name, value in options.items() if name not in INPUTS or name in job.inputs}
    run = train(table, out=folder / job.name, target=TARGET, inputs=job.inputs, learner=job.learner, **options)
    return run.evaluate(ways=5, shots=1, queries=5, episodes=episodes, seed=seed, subsets=job.subsets).to_json()


def _show(bars: Progress, row: TaskID, log: Path, done: bool) -> None:
    steps = log.read_text().count('"loss"') if log.exists() else 0
    bars.update(row, completed=steps)
    if done:
        bars.update(row, total=max(1, steps), completed=max(1, steps))


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("  {task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        yield bars


def _grid(figures: Sequence[Figure]) -> Grid:
    """Accuracies with their intervals, best first."""
    shown = sorted((f for f in figures if f.metric == "accuracy"), key=lambda f: -f.mean)
    grid = Grid("learner", "inputs", "accuracy", title="5-way 1-shot, letters of alphabets never seen")
    for f in shown:
        grid.add_row(f.learner, f.describe_condition(), f"{f.mean:.1%} ± {f.ci95:.1%}")
    grid.caption = f"{shown[0].episodes} test episodes each, 95% intervals, inductive, seed {shown[0].seed}"
    return grid


def _verdict(figures: Sequence[Figure]) -> str:
    """What the figures say on the questions the demo asks, gains and shortfalls alike."""
    accuracy = [f for f in figures if f.metric == "accuracy"]
    inputs = max(len(f.modalities) for f in accuracy)
    fused = max((f for f in accuracy if len(f.modalities) == inputs and not f.corruption.missing), key=lambda f: f.mean)
    single = max((f for f in accuracy if len(f.modalities) == 1), key=lambda f: f.mean)
    half = max((f for f in accuracy if f.corruption.missing), key=lambda f: f.mean)
    by_learner = {f.learner: f for f in accuracy if len(f.modalities) == inputs and not f.corruption.missing}
    lines = [
        _difference(
            f"All inputs ({fused.learner})",
            fused,
            f"the best single input ({single.learner}, {single.modalities[0]})",
            single,
        ),
        _difference("Proto-MAML", by_learner["protomaml"], "training from scratch", by_learner["scratch"]),
        _difference(
            f"All inputs with half of the cells missing ({half.learner})",
            half,
            f"the best single input, complete ({single.learner}, {single.modalities[0]})",
            single,
        ),
    ]
    return "<ul>" + "".join(f"<li>{html_text(line)}</li>" for line in lines) + "</ul>"


def _difference(what: str, figure: Figure, other_name: str, other: Figure) -> str:
    points = 100 * (figure.mean - other.mean)
    verb = "beats" if points > 0 else "falls short of"
    return f"{what} {verb} {other_name} by {abs(points):.1f} points ({figure.mean:.1%} against {other.mean:.1%})."


def _adapt(run: Run, frame: pd.DataFrame, folder: Path, seed: int) -> tuple[Section, str]:
    """Learn every letter of one test alphabet from a few rows each, and predict the others."""
    test = frame[frame["split"] == "test"]
    alphabets = test.groupby("_alphabet")[TARGET].nunique()
    name = str(alphabets[alphabets <= 30].idxmax() if (alphabets <= 30).any() else alphabets.idxmin())
    rows = test[test["_alphabet"] == name].sample(frac=1, random_state=seed)
    position = rows.groupby(TARGET).cumcount()
    plain = rows.drop(columns="split")
    support, query = plain[position < EXAMPLES], plain[position >= EXAMPLES]
    support.to_csv(folder / "new_alphabet_support.csv", index=False)
    query.drop(columns=TARGET).to_csv(folder / "new_alphabet_query.csv", index=False)
    began = time.perf_counter()
    model = run.adapt(folder / "new_alphabet_support.csv")
    seconds = time.perf_counter() - began
    model.save(folder / "new_alphabet.omni")
    answers = model.answers(folder / "new_alphabet_query.csv")
    answers.insert(0, "truth", query[TARGET].to_numpy())
    answers.to_csv(folder / "new_alphabet_answers.csv", index=False)
    right = (answers["prediction"] == answers["truth"]).to_numpy()
    error = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / len(right))
    line = (
        f"{name.capitalize()}: {len(model.classes_)} letters from {EXAMPLES} examples each, in {seconds:.1f} s; "
        f"{right.mean():.1%} ± {error:.1%} of {len(right)} other rows right (guessing: {1 / len(model.classes_):.1%})"
    )
    shown = answers[["truth", "prediction", "probability"]].head(12)
    body = html_table(
        ["truth", "prediction", "probability"], [[t, p, f"{q:.0%}"] for t, p, q in shown.itertuples(index=False)]
    )
    return Section("An alphabet never seen", f"<p>{html_text(line)}.</p>{body}"), line
