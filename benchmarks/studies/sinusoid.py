"""Sinusoids as in Finn et al. 2017, §5.1: the error of every learner on new ones, by number of adaptation steps.

Meta-trains each learner that predicts numbers on sinusoids drawn fresh at every step (amplitude 0.1 to 5, phase 0 to
pi, x from -5 to 5; 10 shots), then adapts it to new ones. Figures are kept in the JSON file and trainings in their
folder, so that the command goes on where it was stopped, and learners can be measured one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import functions
import numpy as np
import studies
import torch
from functions import Functions

from omnishot.episodes.rows import Episode
from omnishot.learners.base import Learner

SHOTS = (5, 10)
CURVE = tuple(range(11))  # adaptation steps that are measured
SHOWN = (0, 1, 5, 10)  # and those in the table
#: What the paper says of its method; every other option is the learner's own.
PUBLISHED = {"maml": {"inner_steps": 1, "inner_lr": 0.01}}
#: Joint training followed by gradient descent is the paper's baseline: `finetune`, which goes on by Adam, with the
#: inner loop of `maml`, which is gradient descent.
JOINT, PLAIN = "finetune", "maml"
PRETRAINED = "finetune, gradient descent"
GRID = np.linspace(-5, 5, 101)


def evaluate(
    study: Functions, name: str, learner: Learner, rated: dict[float, Learner], own: int | None
) -> dict[str, Any]:
    """Figures and curves of a trained learner.

    Args:
        rated: the same learner with other step sizes on a task, to choose from by validation; may be empty.
        own: the number of steps that the learner takes by default, if it has one.
    """
    figures: list[dict[str, Any]] = []
    rates: dict[int, float] = {}
    curves: dict[str, list[float]] = {}
    for shots in SHOTS:
        if rated:
            rated = {rate: each.with_steps(CURVE[-1]) for rate, each in rated.items()}
            rates[shots] = functions.tune(study, rated, shots)
            learner = rated[rates[shots]]
        batch = study.new(functions.TEST, shots, study.episodes)
        for steps in sorted({*CURVE, *([] if own is None else [own])}) if learner.steps is not None else [None]:
            if steps is not None:
                learner = learner.with_steps(steps)
            more = {"adaptation_steps": steps, "own": steps == own}
            figures.append(functions.figure(functions.errors(learner, batch), name, shots, more))
            if shots == SHOTS[0] and steps in (0, 1, 10, None):
                curves[str(steps)] = studies.answers(learner, example())[0, :, 0].double().numpy().round(4).tolist()
    return {"own_steps": own, "tuned_rates": rates, "figures": figures, "curves": curves}


def example() -> Episode:
    """The sinusoid of the picture: five rows of its right half to learn from, and all of it to predict."""
    amplitude, phase = 3.5, 0.8
    x = np.random.default_rng(4).uniform(0, 5, SHOTS[0])
    return Episode(*(functions.rows(at[None], amplitude * np.sin(at[None] - phase)) for at in (x, GRID)))


def plain_descent(study: Functions, learner: Learner) -> dict[float, Learner]:
    """A jointly trained network, which gradient descent adapts with a number of step sizes."""
    copies = {}
    for rate in studies.RATES:
        copies[rate] = study.build(PLAIN, PUBLISHED[PLAIN] | {"inner_lr": rate})
        copies[rate].load_state_dict(learner.state_dict())
    return copies


def table(records: dict[str, dict[str, Any]]) -> list[str]:
    """One line a learner, that with the least error at 10 shots first."""
    columns = [f"{s} {'step' if s == 1 else 'steps'}" for s in SHOWN]
    lines = [
        "| learner | shots | " + " | ".join(columns) + " | as it is trained | meta-training |",
        "| --- | --: |" + " --: |" * len(SHOWN) + " --: | --- |",
    ]
    for name in sorted(records, key=lambda name: _best(records[name]["figures"])):
        record = records[name]
        for shots in SHOTS:
            of = [f for f in record["figures"] if f["shots"] == shots]
            steps = [studies.cell(of, adaptation_steps=s) for s in SHOWN]
            own = studies.cell(of, own=True)
            if record["own_steps"] is not None:
                own += f" ({record['own_steps']})"
            lines.append(f"| {name} | {shots} | {' | '.join(steps)} | {own} | {_how(record, shots)} |")
    return lines


def verdict(records: dict[str, dict[str, Any]]) -> list[str]:
    """Whether MAML reaches what is required beside joint training, if both were measured."""
    if not {PLAIN, PRETRAINED} <= records.keys():
        return []
    by = {(n, f["adaptation_steps"]): f["mean"] for n in (PLAIN, PRETRAINED, JOINT)
          for f in records[n]["figures"] if f["shots"] == 10}  # fmt: skip
    falls = all(by[PLAIN, s + 1] < by[PLAIN, s] for s in range(1, 10))
    fraction = by[PLAIN, 10] / min(by[PRETRAINED, 10], by[JOINT, 10])
    return [
        "",
        f"MAML, trained for one step, at 10 shots: its error falls with every step from 1 to 10: "
        f"{'yes' if falls else '**no**'}; after 10 it is {fraction:.3f} of joint training's (the better of its two "
        f"rows); required: at most 0.2: {'yes' if fraction <= 0.2 else '**no**'}.",
    ]


def _best(figures: list[dict[str, Any]]) -> float:
    return min(f["mean"] for f in figures if f["shots"] == SHOTS[-1])


def _how(record: dict[str, Any], shots: int) -> str:
    rates = {str(s): rate for s, rate in record["tuned_rates"].items()}
    return studies.how(record) + (f", step size {rates[str(shots)]} by validation" if rates else "")


def picture(records: dict[str, dict[str, Any]], path: Path) -> None:
    """The paper's Figures 2 and 3: a learned sinusoid before and after adapting, and the error by number of steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    fig, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    task = example().task(0)
    titles = {PLAIN: "MAML", PRETRAINED: "joint training, then gradient descent"}
    for ax, (name, title) in zip(axes[0], titles.items(), strict=True):
        ax.plot(GRID, task.query.target, color="0.6", lw=3, label="the function")
        styles = {"0": (":", "before"), "1": ("--", "1 step"), "10": ("-", "10 steps")}
        for (steps, (style, label)), colour in zip(styles.items(), ("#56b4e9", "#0072b2", "#d55e00"), strict=True):
            if name in records:
                ax.plot(GRID, records[name]["curves"][steps], style, color=colour, label=label)
        x, y = task.support.inputs["tabular"][:, 0, 0], task.support.target
        ax.plot(x, y, "^", color="black", ms=8, label="the 5 rows learned from")
        ax.set(title=title, xlabel="x", ylim=(-7.5, 4.5))
    axes[0, 0].set_ylabel("y")
    axes[0, 1].legend(loc="lower left", ncols=3, fontsize=8)
    colours = plt.get_cmap("tab20")([*range(0, 20, 2), *range(1, 20, 2)])  # strong ones first
    steppers = [n for n, record in records.items() if record["figures"][0]["adaptation_steps"] is not None]
    order = sorted(steppers, key=lambda name: _best(records[name]["figures"]))
    axes[1, 0].sharey(axes[1, 1])
    for ax, shots in zip(axes[1], SHOTS, strict=True):
        for i, name in enumerate(order):
            of = {f["adaptation_steps"]: f for f in records[name]["figures"] if f["shots"] == shots}
            mean, ci95 = (np.array([of[s][part] for s in CURVE]) for part in ("mean", "ci95"))
            width = 2.5 if name in (PLAIN, PRETRAINED) else 1.2
            ax.plot(CURVE, mean, color=colours[i % 20], lw=width, label=name)
            ax.fill_between(CURVE, mean - ci95, mean + ci95, color=colours[i % 20], alpha=0.2, lw=0)
        # What diverges with more steps than it was trained for leaves the picture at the top.
        ax.set(title=f"{shots} shots", xlabel="adaptation steps", yscale="log", xlim=(0, CURVE[-1]), ylim=(0.01, 10))
        ax.grid(alpha=0.3)
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
    axes[1, 0].set_ylabel("mean squared error, 95% intervals")
    handles, labels = axes[1, 1].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=min(7, len(labels)), fontsize=8)
    fig.savefig(path, dpi=90)


def main() -> None:
    parser = studies.arguments(__doc__, "sinusoid", steps=30_000, tuning_steps=500, episodes=1000)
    parser.add_argument("--width", type=int, nargs="+", default=[40, 40], help="of the perceptron's layers")
    parser.add_argument("--figure", type=Path, help="write the picture to this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    study = Functions(("sinusoids",), 25, tuple(args.width), args.steps, args.tuning_steps, args.episodes)
    records = studies.Records(args.json, study)
    names = args.learners.split(",") if args.learners else studies.names("regress")
    for name in records.missing(names, args.again):
        learner, record = studies.trained(study, name, PUBLISHED.get(name, {}), args.runs / name, args.minutes)
        own = learner.steps
        rated = functions.with_rates(study, learner, record)
        records.add(name, record | evaluate(study, name, learner, rated, own))
        if name == JOINT:
            rated = plain_descent(study, learner)
            records.add(PRETRAINED, record | evaluate(study, PRETRAINED, next(iter(rated.values())), rated, None))
        print("\n".join(table({name: records.by_name[name]})), flush=True)
    studies.report([*table(records.by_name), *verdict(records.by_name)], args.markdown)
    if args.figure:
        picture(records.by_name, args.figure)


if __name__ == "__main__":
    main()
