"""What a report says about one run, section by section."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from omnishot.artifacts import read_tensors
from omnishot.assembly import most_ways
from omnishot.dataset import Dataset
from omnishot.episodes.missing import ALL
from omnishot.evaluation import Figure
from omnishot.report import markup, pictures
from omnishot.report.bars import chance_level, conditions
from omnishot.report.cards import cards, summary
from omnishot.report.curves import Point, least
from omnishot.report.episode import draw_sample
from omnishot.report.page import Section
from omnishot.report.wording import (
    ductive,
    duration,
    half_width,
    interval,
    metric_of,
    number,
    protocol,
    shape,
)
from omnishot.run import VALIDATION_SEED, Run
from omnishot.table.splits import PARTS
from omnishot.training import CHECKPOINT


def headline(run: Run, groups: Sequence[Sequence[Figure]]) -> str:
    """One line about the run, and its main figure with interval and protocol."""
    config, about = run.config, run.about
    said = f"{config.learner}, {config.fusion} fusion of {_inputs(run)}; {shape(about['ways'], about['shots'])}"
    html = f'<p class="lead">{markup.text(said)}</p>'
    if not groups:
        return html + markup.note("This run has not been evaluated yet: omnishot evaluate RUN does.")
    first = groups[0][0]
    metric = metric_of(first.metric)
    sides = [f for f in groups[0][1:] if f.metric != first.metric and _same_condition(f, first)]
    side = "".join(
        f'<p class="side">{markup.text(interval(f))}<span>{markup.text(metric_of(f.metric).label)}</span></p>'
        for f in sides
    )
    return (
        f'{html}<div class="main"><p class="big">{markup.text(number(first.mean, metric))} '
        f"<small>{markup.text(half_width(first.ci95, metric))}</small><span>{markup.text(metric.label)}</span></p>"
        f"{side}</div>{markup.note(protocol(first) + '.')}"
    )


def about_run(run: Run, data: Dataset | None) -> Section:
    """What was trained, how and on what."""
    config, trained = run.config, progressed(run)
    learner = run.learner
    what = {
        "Learner": config.learner + "".join(f", {n} {v}" for n, v in config.options.items()),
        "Inputs": _inputs(run),
        "Fusion": f"{config.fusion}, {config.dim} wide",
        "Training tasks": shape(run.about["ways"], run.about["shots"]),
        "Predicts": f"{run.schema.target} ({'a class' if learner.objective.name == 'classify' else 'a number'})",
        "Parameters": f"{sum(p.numel() for p in learner.parameters()):,}",
        "Steps": f"{trained['step']:,}, each of {config.tasks} tasks"
        if learner.meta_trained
        else "none: it has no training",
        "Best step": f"{trained['best_step']:,}" if trained["best"] is not None else "the last: no validation",
        "Training time": duration(trained["seconds"]),
        "Seed": config.seed,
        "Table": data.table.name if data else run.about["source"] or "in memory",
    }
    if not learner.meta_trained:
        del what["Best step"]
    counts = [f"{run.about['rows'][part]:,} {part}" for part in PARTS if run.about["rows"].get(part)]
    what["Rows"] = ", ".join(counts)
    noun = f"Groups ({run.schema.group})" if run.schema.group else "Classes"
    if data:
        members = {part: len(data.members(part)) for part in PARTS}
        what[noun] = ", ".join(f"{n:,} {part}" for part, n in members.items() if n)
    elif run.about["trained_on"]:
        what[noun] = f"{len(run.about['trained_on']):,} train"
    return Section("The run", markup.facts({name: value for name, value in what.items() if value != ""}))


def sample(run: Run, data: Dataset) -> Section:
    """A task as a person would look at it, and the same one with half of its cells missing."""
    part = next(part for part in reversed(PARTS) if (data.parts == part).any())
    shots = least(run.config.shots)
    drawn = draw_sample(run, data, part)
    html = markup.note(summary(drawn, shots)) + cards(drawn, data.store)
    if len(data.store.modalities) > 1:
        spoiled = draw_sample(run, data, part, missing={ALL: 0.5})
        html += markup.details(
            "The same task with half of all cells missing",
            markup.note(summary(spoiled, shots)) + cards(spoiled, data.store),
        )
    return Section("A task as you would look at it", html)


def scores(groups: Sequence[Sequence[Figure]]) -> Section:
    """Every condition that was evaluated, one chart for each protocol."""
    metric = groups[0][0].metric
    html = "".join(conditions([f for f in group if f.metric == metric]) for group in groups)
    everything = [f for group in groups for f in group]
    rows = [(f.metric, f.condition(), interval(f), shape(f.ways, f.shots, f.queries), f"{f.episodes} {f.split}", f.seed,
             ductive(f.transductive).split(" ")[0]) for f in everything]  # fmt: skip
    head = ("metric", "measured on", "mean ± 95%", "task", "episodes", "seed", "queries are")
    table = markup.details(f"All {len(everything)} figures as a table", markup.table(head, rows))
    return Section(f"{metric_of(metric).label} by what the learner is shown", html + table)


def learning(run: Run) -> Section | None:
    """Loss and validation metric while training; None if nothing was trained."""
    records = _history(run)
    losses = [(r["step"], r["loss"]) for r in records if "loss" in r]
    if not losses:
        return None
    config, name = run.config, run.learner.objective.metric
    metric, steps = metric_of(name), [step for step, _ in losses]
    caption = (
        f"{config.tasks} training tasks a step, {shape(run.about['ways'], run.about['shots'])}, seed {config.seed}."
    )
    alt = f"Training loss by step, from {losses[0][1]:.3g} to {losses[-1][1]:.3g}"
    html = markup.figure(
        "Training loss, each step and running mean",
        pictures.loss_chart(steps, [loss for _, loss in losses], alt),
        caption,
    )
    validated = [r for r in records if f"val_{name}" in r]
    if validated:
        best = progressed(run)["best_step"]
        x, y = [r["step"] for r in validated], [r[f"val_{name}"] for r in validated]
        ways = most_ways(run.about["ways"])
        chart = pictures.line_chart(
            x, y, [r[f"val_{name}_ci95"] for r in validated],
            xlabel="meta-training step", ylabel=f"validation {metric.label.lower()}",
            alt=f"Validation {metric.label.lower()} by step: best {number(y[x.index(best)], metric)} at step {best}",
            fraction=metric.fraction, mark=(best, f"best, step {best:,}"),
            chance=1 / ways if name == "accuracy" and ways else None,
        )  # fmt: skip
        caption = (
            f"{config.val_episodes} validation episodes, always the same, seed {config.seed + VALIDATION_SEED}; "
            f"{shape(ways, most_ways(run.about['shots']))}; {ductive(run.learner.transductive)}; "
            "the band is the 95% interval of the mean over episodes."
        )
        html += markup.figure(f"Validation {metric.label.lower()}", chart, caption)
    return Section("Learning", f'<div class="charts">{html}</div>')


def measured(found: Mapping[str, Sequence[Point]], own_steps: int | None) -> Section | None:
    """The curves that `omnishot.report.curves` measured; None if there are none."""
    html = ""
    if found.get("steps"):
        mark = None if own_steps is None else (own_steps, f"as trained, {own_steps}")
        html += _curve(found["steps"], "steps on the support rows", "gradient steps", mark=mark)
    if found.get("missing"):
        html += _curve(found["missing"], "share of missing cells", "share of all cells missing", shares=True)
    return Section("What it depends on", f'<div class="charts">{html}</div>') if html else None


def progressed(run: Run) -> dict[str, Any]:
    """Where the training stood at its end: step, best, best_step, seconds."""
    return read_tensors(run.folder / "last" / CHECKPOINT)[1]


def _curve(points: Sequence[Point], against: str, xlabel: str, **options: Any) -> str:
    first = points[0].figure
    metric = metric_of(first.metric)
    said = "; ".join(f"{p.at:g}: {interval(p.figure)}" for p in points)
    chart = pictures.line_chart(
        [p.at for p in points], [p.figure.mean for p in points], [p.figure.ci95 for p in points],
        xlabel=xlabel, ylabel=metric.label.lower(), fraction=metric.fraction, chance=chance_level(first),
        alt=f"{metric.label} against {against}. {said}", **options,
    )  # fmt: skip
    caption = protocol(first) + "; the same tasks at every point. " + said + "."
    return markup.figure(f"{metric.label} against {against}", chart, caption)


def _inputs(run: Run) -> str:
    parts = [n if n == m.kind else f"{n} ({m.kind})" for n, m in run.learner.network.modalities.items()]
    return ", ".join(parts)


def _history(run: Run) -> list[dict[str, Any]]:
    path = run.folder / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _same_condition(a: Figure, b: Figure) -> bool:
    return (a.modalities, a.missing, a.noise) == (b.modalities, b.missing, b.noise)
