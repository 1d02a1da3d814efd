"""The sections of a run's report: headline, facts, sample tasks, explanation and figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omnishot.analysis.explain.explain_task import explain_task
from omnishot.analysis.explain.page import brief
from omnishot.analysis.explain.sample_task import held_out_part, sample_task
from omnishot.episodes.loader import least
from omnishot.episodes.missing import ALL
from omnishot.evaluation.figure import Figure
from omnishot.evaluation.format import (
    duration,
    inductive_or_transductive,
    interval,
    mean_and_interval,
    protocol,
    shape,
    task,
)
from omnishot.experiment.dataset import Dataset
from omnishot.html import markup
from omnishot.html.bars import conditions
from omnishot.html.page import Section
from omnishot.metrics.metric import metric_of
from omnishot.report.cards import cards, summary
from omnishot.report.episode import draw_sample
from omnishot.report.text_tasks import text_tasks
from omnishot.runs.run import Run
from omnishot.table.splits import PARTS


def headline(run: Run, groups: Sequence[Sequence[Figure]]) -> str:
    """The run in one line, and its main figures with interval and protocol."""
    config, record = run.config, run.record
    fused = f"{config.fused_by} fusion of " if len(run.learner.network.modalities) > 1 else "on "
    line = f"{config.learner}, {fused}{_inputs(run)}; {shape(record.ways, record.shots)}"
    html = f'<p class="lead">{markup.text(line)}</p>'
    if not groups:
        return html + markup.note("This run has not been evaluated yet: run omnishot evaluate RUN.")
    first = groups[0][0]
    metric, (mean, half) = metric_of(first.metric), mean_and_interval(first)
    others = [
        f
        for f in groups[0][1:]
        if f.metric != first.metric and _same_condition(f, first) and not metric_of(f.metric).detail
    ]
    side = "".join(
        f'<p class="side">{markup.text(interval(f))}<span>{markup.text(metric_of(f.metric).label)}</span></p>'
        for f in others
    )
    return (
        f'{html}<div class="main"><p class="big">{markup.text(mean)} '
        f"<small>{markup.text(half)}</small><span>{markup.text(metric.label)}</span></p>"
        f"{side}</div>{markup.note(protocol(first) + '.')}"
    )


def about_run(run: Run, data: Dataset | None) -> Section:
    """Facts: learner, inputs, training and table."""
    config, trained = run.config, run.summary()
    learner = run.learner
    facts = {
        "Learner": config.learner + "".join(f", {n} {v}" for n, v in config.options.items()),
        "Inputs": _inputs(run),
        "Fusion": f"{config.fused_by}, {config.dim} dimensions",
        "Training tasks": shape(run.record.ways, run.record.shots),
        "Predicts": f"{', '.join(run.schema.targets)} ({learner.objective.gives})",
        "Parameters": f"{sum(p.numel() for p in learner.parameters() if p.requires_grad):,}",
        "Steps": f"{trained['step']:,}, each of {config.tasks} tasks"
        if learner.meta_trained
        else "none: the learner has no meta-training",
        "Best step": f"{trained['best_step']:,}" if trained["best"] is not None else "the last: no validation",
        "Training time": duration(trained["seconds"]),
        "Seed": config.seed,
        "Table": Path(run.record.source).name if run.record.source else "in memory",
    }
    if not learner.meta_trained:
        del facts["Best step"], facts["Training time"]
    if len(learner.network.modalities) == 1:
        del facts["Fusion"]
    counts = [f"{run.record.rows[part]:,} {part}" for part in PARTS if run.record.rows.get(part)]
    facts["Rows"] = ", ".join(counts)
    noun = f"Groups ({run.schema.group})" if run.schema.group else "Classes"
    if data:
        members = {part: len(data.members(part)) for part in PARTS}
        facts[noun] = ", ".join(f"{n:,} {part}" for part, n in members.items() if n)
    elif run.record.trained_on:
        facts[noun] = f"{len(run.record.trained_on):,} train"
    return Section("The run", markup.facts(facts))


def tasks(run: Run, data: Dataset, ways: int | None = None) -> list[Section]:
    """Sample tasks, and the explanation of one of them."""
    if run.learner.objective.writes_texts:
        return [text_tasks(run, data)]
    if not run.learner.objective.explainable:
        return []
    return [sample(run, data, ways), explanation(run, data, ways)]


def sample(run: Run, data: Dataset, ways: int | None = None) -> Section:
    """A sample task, and the same task with half of its cells missing."""
    part = next(part for part in reversed(PARTS) if (data.parts == part).any())
    shots = least(run.config.shots)
    complete = draw_sample(run, data, part, ways=ways)
    html = markup.note(summary(complete, shots)) + cards(complete, data.store)
    if len(data.store.modalities) > 1:
        incomplete = draw_sample(run, data, part, missing={ALL: 0.5}, ways=ways)
        html += markup.details(
            "The same task with half of all cells missing",
            markup.note(summary(incomplete, shots)) + cards(incomplete, data.store),
        )
    return Section("A sample task", html)


def explanation(run: Run, data: Dataset, ways: int | None = None) -> Section:
    """The explanation of the predictions of one held-out task."""
    return brief(explain_task(sample_task(run, data, held_out_part(data), ways=ways)))


def scores(groups: Sequence[Sequence[Figure]]) -> Section:
    """The figures of every condition: one chart per protocol, and a table."""
    metric = groups[0][0].metric
    html = "".join(conditions([f for f in group if f.metric == metric]) for group in groups)
    everything = [f for group in groups for f in group]
    rows = [(f.metric, f.describe_condition(), interval(f), task(f), f"{f.episodes} {f.split}", f.seed,
             inductive_or_transductive(f.transductive).split(" ")[0]) for f in everything]  # fmt: skip
    head = ("metric", "inputs and corruption", "mean ± 95%", "task", "episodes", "seed", "prediction")
    table = markup.details(f"All {len(everything)} figures as a table", markup.table(head, rows))
    return Section(f"{metric_of(metric).label} by inputs and corruption", html + table)


def _inputs(run: Run) -> str:
    parts = [n if n == m.kind else f"{n} ({m.kind})" for n, m in run.learner.network.modalities.items()]
    return ", ".join(parts)


def _same_condition(a: Figure, b: Figure) -> bool:
    return a.condition == b.condition
