"""Bars with intervals, as HTML: they wrap on a phone, follow dark mode and can be read aloud."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from omnishot.evaluation import Figure
from omnishot.report import markup
from omnishot.report.wording import Metric, condition, interval, metric_of, number, protocols, shape

#: Learners that others are judged against.
BASELINES = ("centroid", "logreg", "scratch", "finetune")


def comparison(figures: Sequence[Figure], baselines: Collection[str] = BASELINES) -> str:
    """Learners and conditions side by side: bars with 95% intervals, best first, and the same as a table.

    Only figures of the first one's metric are drawn. Learners are ordered by the best figure each has under the
    first one's condition, else under any.
    """
    same = [figure for figure in figures if figure.metric == figures[0].metric]
    if not same:
        return markup.note("There are no figures yet.")
    metric, top = metric_of(same[0].metric), _top(same)
    groups: dict[tuple[str, str], list[Figure]] = {}
    for figure in same:
        groups.setdefault((figure.learner, figure.fusion), []).append(figure)
    inputs = max(len(figure.modalities) for figure in same)
    several = len({fusion for _, fusion in groups}) > 1
    blocks = []
    for (learner, fusion), own in sorted(groups.items(), key=lambda item: _best(_leading(item[1], same[0]), metric)):
        baseline = learner in baselines
        tag = ' <span class="tag">baseline</span>' if baseline else ""
        name = markup.text(f"{learner}, {fusion}" if several else learner)
        rows = "".join(
            _bar(condition(f, inputs), f, top, baseline) for f in sorted(own, key=lambda f: _best([f], metric))
        )
        blocks.append(f'<li><h3>{name}{tag}</h3><ul class="bars">{rows}</ul></li>')
    return _captioned(f'<ul class="groups">{"".join(blocks)}</ul>', same, top) + _table(same, inputs)


def conditions(figures: Sequence[Figure]) -> str:
    """Figures of one learner under several conditions, in the order given: bars with 95% intervals, and a table."""
    top, inputs = _top(figures), max(len(figure.modalities) for figure in figures)
    rows = "".join(_bar(condition(f, inputs), f, top, quiet=i > 0) for i, f in enumerate(figures))
    return _captioned(f'<ul class="bars">{rows}</ul>', figures, top)


def chance_level(figure: Figure) -> float | None:
    """Accuracy of guessing; None where that means nothing."""
    return 1 / figure.ways if figure.metric == "accuracy" and figure.ways else None


def _leading(own: Sequence[Figure], first: Figure) -> list[Figure]:
    """Figures under the same condition as `first`, or all if there are none."""
    same = [f for f in own if (f.modalities, f.missing, f.noise) == (first.modalities, first.missing, first.noise)]
    return same or list(own)


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
    said = f"{metric.label}, drawn from {scale}; {better} is better."
    legend = "".join(f'<span class="key chance-key">chance, {level:.0%}</span>' for level in levels)
    lines = "<br>".join(markup.text(line) + "." for line in protocols(figures))
    return f"<figure>{bars}<figcaption>{markup.text(said)} {legend}<br>{lines}</figcaption></figure>"


def _table(figures: Sequence[Figure], inputs: int) -> str:
    head = ("learner", "fusion", "measured on", figures[0].metric, "task", "episodes", "seed", "seconds")
    rows = [
        (f.learner, f.fusion, condition(f, inputs) + (", transductive" if f.transductive else ""), interval(f),
         shape(f.ways, f.shots), f"{f.episodes} {f.split}", f.seed, f"{f.seconds:.1f}")
        for f in figures
    ]  # fmt: skip
    return markup.details("The same as a table", markup.table(head, rows))
