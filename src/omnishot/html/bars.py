"""Bar charts with intervals as HTML, readable on a phone, in dark mode and by screen readers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from omnishot.evaluation.figure import Figure
from omnishot.evaluation.format import condition, interval, number, protocols, shape
from omnishot.html import markup
from omnishot.metrics.metric import Metric, metric_of

#: Learners that are marked as baselines.
BASELINES = ("centroid", "logreg", "scratch", "finetune")


def comparison(
    figures: Sequence[Figure] | Mapping[str, Sequence[Figure]], baselines: Collection[str] = BASELINES
) -> str:
    """Bars with 95% intervals for several learners and conditions, best first, and the same figures as a table.

    Only figures of the first figure's metric are drawn. Groups are ordered by their best figure under the condition of
    the first figure; by their best figure of all, if they have none under it.

    Args:
        figures: a sequence, grouped by learner; or groups by name, for names that figures do not hold, such as that a
            learner was trained on one input alone.
        baselines: learners that are marked as baselines.
    """
    groups = {n: list(g) for n, g in figures.items()} if isinstance(figures, Mapping) else _by_learner(figures)
    first = next((figure for group in groups.values() for figure in group), None)
    if first is None:
        return markup.note("There are no figures yet.")
    groups = {name: [f for f in group if f.metric == first.metric] for name, group in groups.items()}
    groups = {name: group for name, group in groups.items() if group}
    metric, every = metric_of(first.metric), [figure for group in groups.values() for figure in group]
    top, inputs = _top(every), max(len(figure.modalities) for figure in every)
    blocks = []
    for name, group in sorted(groups.items(), key=lambda item: _best(_leading(item[1], first), metric)):
        baseline = group[0].learner in baselines
        tag = ' <span class="tag">baseline</span>' if baseline else ""
        ordered = sorted(group, key=lambda figure: _best([figure], metric))
        rows = "".join(_bar(condition(f, inputs), f, top, baseline) for f in ordered)
        blocks.append(f'<li><h3>{markup.text(name)}{tag}</h3><ul class="bars">{rows}</ul></li>')
    return _captioned(f'<ul class="groups">{"".join(blocks)}</ul>', every, top) + _table(groups, inputs)


def conditions(figures: Sequence[Figure]) -> str:
    """Bars with 95% intervals for one learner under several conditions, in the order given."""
    top, inputs = _top(figures), max(len(figure.modalities) for figure in figures)
    rows = "".join(_bar(condition(f, inputs), f, top, quiet=i > 0) for i, f in enumerate(figures))
    return _captioned(f'<ul class="bars">{rows}</ul>', figures, top)


def chance_level(figure: Figure) -> float | None:
    """Accuracy of guessing; None for other metrics."""
    return 1 / figure.ways if figure.metric == "accuracy" and figure.ways else None


def _by_learner(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    """Figures by learner, and fusion where there are several."""
    several = len({figure.fusion for figure in figures}) > 1
    groups: dict[str, list[Figure]] = {}
    for figure in figures:
        groups.setdefault(f"{figure.learner}, {figure.fusion}" if several else figure.learner, []).append(figure)
    return groups


def _leading(own: Sequence[Figure], first: Figure) -> list[Figure]:
    """Figures under the same condition as `first`, or all if there are none."""
    return [f for f in own if f.condition == first.condition] or list(own)


def _best(figures: Sequence[Figure], metric: Metric) -> float:
    """A sort key, least for the best."""
    return min(-f.mean if metric.higher_is_better else f.mean for f in figures)


def _top(figures: Sequence[Figure]) -> float:
    """The value at the right end of the bars."""
    if metric_of(figures[0].metric).fraction:
        return 1.0
    return max(f.mean + f.ci95 for f in figures) * 1.05 or 1.0


def _bar(label: str, figure: Figure, top: float, quiet: bool) -> str:
    low, high = (_percent(figure.mean + sign * figure.ci95, top) for sign in (-1, 1))
    chance = chance_level(figure)
    line = "" if chance is None else f'<i class="chance" style="left:{_percent(chance, top):.2f}%"></i>'
    return (
        f'<li><span class="label">{markup.text(label)}</span>'
        f'<span class="track" aria-hidden="true">'
        f'<i class="fill{" quiet" if quiet else ""}" style="width:{_percent(figure.mean, top):.2f}%"></i>{line}'
        f'<i class="whisker" style="left:{low:.2f}%;width:{high - low:.2f}%"></i></span>'
        f'<span class="value">{markup.text(interval(figure))}</span></li>'
    )


def _percent(value: float, top: float) -> float:
    return min(max(value / top, 0.0), 1.0) * 100


def _captioned(bars: str, figures: Sequence[Figure], top: float) -> str:
    metric = metric_of(figures[0].metric)
    levels = sorted({level for f in figures if (level := chance_level(f)) is not None})
    better = "more" if metric.higher_is_better else "less"
    scale = "0 to 100%" if metric.fraction else f"0 to {number(top, metric)}"
    axis = f"{metric.label}, drawn from {scale}; {better} is better."
    legend = "".join(f'<span class="key chance-key">chance, {level:.0%}</span>' for level in levels)
    lines = "<br>".join(markup.text(line) + "." for line in protocols(figures))
    return f"<figure>{bars}<figcaption>{markup.text(axis)} {legend}<br>{lines}</figcaption></figure>"


def _table(groups: Mapping[str, Sequence[Figure]], inputs: int) -> str:
    metric = next(iter(groups.values()))[0].metric
    head = ("", "fusion", "inputs and corruption", metric, "task", "episodes", "seed", "seconds")
    rows = [
        (name, f.fusion, condition(f, inputs) + (", transductive" if f.transductive else ""), interval(f),
         shape(f.ways, f.shots), f"{f.episodes} {f.split}", f.seed, f"{f.seconds:.1f}")
        for name, group in groups.items() for f in group
    ]  # fmt: skip
    return markup.details("As a table", markup.table(head, rows))
