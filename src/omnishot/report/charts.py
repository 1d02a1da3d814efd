"""The sections with line charts: training curves, and figures against steps and missing cells."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from omnishot.core import seeds
from omnishot.evaluation.format import inductive_or_transductive, interval, number, protocol, shape
from omnishot.experiment.build import most_ways
from omnishot.html import line_chart, markup
from omnishot.html.bars import chance_level
from omnishot.html.page import Section
from omnishot.metrics.metric import metric_of
from omnishot.report.curves import Point
from omnishot.runs.run import Run


def training(run: Run) -> Section | None:
    """Loss and validation metric by step; None if nothing was trained."""
    records = _history(run)
    losses = [(r["step"], r["loss"]) for r in records if "loss" in r]
    if not losses:
        return None
    config = run.config
    chart = line_chart.loss_chart(
        [step for step, _ in losses],
        [loss for _, loss in losses],
        f"Training loss by step, from {losses[0][1]:.3g} to {losses[-1][1]:.3g}",
    )
    tasks = shape(run.record.ways, run.record.shots)
    caption = f"{config.tasks} training tasks per step, {tasks}, seed {config.seed}."
    html = markup.figure("Training loss: each step, and running mean", chart, caption)
    name = f"val_{run.learner.objective.metric}"
    validated = [r for r in records if name in r]
    if validated:
        html += _validation(run, *([r[key] for r in validated] for key in ("step", name, f"{name}_ci95")))
    return Section("Training", f'<div class="charts">{html}</div>')


def dependence(curves: Mapping[str, Sequence[Point]], own_steps: int | None) -> Section | None:
    """The curves of `omnishot.report.curves`; None if there are none."""
    html = ""
    if curves.get("steps"):
        mark = None if own_steps is None else (own_steps, f"as in training, {own_steps}")
        html += _curve(curves["steps"], "gradient steps on the support rows", "gradient steps", mark=mark)
    if curves.get("missing"):
        html += _curve(curves["missing"], "share of missing cells", "share of all cells missing", shares=True)
    title = "Dependence on gradient steps and missing cells"
    return Section(title, f'<div class="charts">{html}</div>') if html else None


def _validation(run: Run, steps: list[int], means: list[float], ci95: list[float]) -> str:
    config, name, best = run.config, run.learner.objective.metric, run.summary()["best_step"]
    metric, ways = metric_of(name), run.record.val_ways
    label = f"validation {metric.label.lower()}"
    chart = line_chart.line_chart(
        steps, means, ci95, xlabel="meta-training step", ylabel=label,
        alt=f"{label.capitalize()} by step: best {number(means[steps.index(best)], metric)} at step {best}",
        fraction=metric.fraction, mark=(best, f"best, step {best:,}"),
        chance=1 / ways if name == "accuracy" and ways else None,
    )  # fmt: skip
    caption = (
        f"{config.val_episodes} validation episodes, the same each time, seed {seeds.validation(config.seed)}; "
        f"{shape(ways, most_ways(run.record.shots))}; {inductive_or_transductive(run.learner.transductive)}; "
        "the band is the 95% interval of the mean over episodes."
    )
    return markup.figure(label.capitalize(), chart, caption)


def _curve(points: Sequence[Point], against: str, xlabel: str, **options: Any) -> str:
    first = points[0].figure
    metric = metric_of(first.metric)
    values = "; ".join(f"{p.at:g}: {interval(p.figure)}" for p in points)
    chart = line_chart.line_chart(
        [p.at for p in points], [p.figure.mean for p in points], [p.figure.ci95 for p in points],
        xlabel=xlabel, ylabel=metric.label.lower(), fraction=metric.fraction, chance=chance_level(first),
        alt=f"{metric.label} against {against}. {values}", **options,
    )  # fmt: skip
    caption = protocol(first) + "; the same tasks at every point. " + values + "."
    return markup.figure(f"{metric.label} against {against}", chart, caption)


def _history(run: Run) -> list[dict[str, Any]]:
    path = run.folder / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]
