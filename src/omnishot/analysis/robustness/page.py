"""The page and the plot of how figures fall: curves against noise and attacks, bars for failures, and a table."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from omnishot.analysis.robustness.degradation import NOISE, Point, Robustness
from omnishot.core.storage import write_atomic, write_json
from omnishot.episodes.attack import ATTACKS
from omnishot.errors import UsageError
from omnishot.evaluation.format import interval, protocol
from omnishot.html import bars, markup
from omnishot.html.line_chart import ACCENT, INK, MARK, MUTED, chart, panels, svg
from omnishot.html.page import Section, page
from omnishot.metrics.metric import metric_of

#: Of the runs, in order.
COLOURS, MARKERS = (ACCENT, MARK, INK, MUTED), "os^D"
#: Where several attacks share a chart.
STYLES = {"pgd": "-", "fgsm": "--"}


def write(result: Robustness, out: Path) -> Path:
    """Write the page, and beside it the figures as `.json` and the curves as `.png`; returns the page's path.

    Raises:
        UsageError: if there are more runs than can be told apart.
    """
    if len(result.runs) > len(COLOURS):
        raise UsageError(f"a page tells {len(COLOURS)} runs apart, not {len(result.runs)}: give fewer")
    write_json(out.with_suffix(".json"), result.to_json())
    if result.curves:
        write_atomic(out.with_suffix(".png"), picture(result))
    sections = [Section("As it is", bars.comparison({run: [result.clean(run)] for run in result.runs}))]
    for title, whats in (("Noise", (NOISE,)), ("Attacks", ATTACKS)):
        charts = "".join(_chart(result, name, lines) for name, lines in _panels(result, whats))
        if charts:
            sections.append(Section(title, f'<div class="charts">{charts}</div>'))
    if result.failures:
        sections.append(Section("Failures", bars.comparison(result.failures)))
    table = markup.table(result.head, result.rows()) + markup.note(protocol(result.figures[0]) + ".")
    sections.append(Section("The table", table))
    intro = f'<p class="lead">{markup.text(", ".join(result.runs))}; all on the same tasks.</p>'
    write_atomic(out, page("Robustness", intro, sections))
    return out


def picture(result: Robustness) -> bytes:
    """All curves in one picture, as PNG."""
    every = [(name, lines) for whats in ((NOISE,), ATTACKS) for name, lines in _panels(result, whats)]
    with panels([_title(name, lines) for name, lines in every]) as (canvas, axes):
        for place, (ax, (_, lines)) in enumerate(zip(axes, every, strict=True)):
            _draw(ax, result, lines, legend=place == 0 or lines[0].what != every[place - 1][1][0].what)
        buffer = io.BytesIO()
        canvas.savefig(buffer, format="png", dpi=150)
        return buffer.getvalue()


@dataclass(frozen=True)
class _Line:
    what: str
    run: str
    points: list[Point]


def _panels(result: Robustness, whats: Sequence[str]) -> Iterator[tuple[str, list[_Line]]]:
    """For every input the lines that belong into one chart."""
    curves = {key: own for key, own in result.curves.items() if key[0] in whats}
    for name in dict.fromkeys(name for _, name in curves):
        yield name, [_Line(what, run, points) for (what, of), own in curves.items() if of == name
                     for run, points in own.items()]  # fmt: skip


def _title(name: str, lines: Sequence[_Line]) -> str:
    return f"{'noise on' if lines[0].what == NOISE else 'attack on'} {name}"


def _chart(result: Robustness, name: str, lines: Sequence[_Line]) -> str:
    text = "; ".join(
        f"{line.what}, {line.run}: " + ", ".join(f"{p.at:g}: {interval(p.figure)}" for p in line.points)
        for line in lines
    )
    with chart("", "") as (canvas, axes):
        _draw(axes, result, lines, legend=True)
        drawing = svg(canvas, f"{_title(name, lines)}. {text}")
    first = result.figures[0]
    caption = f"{protocol(first)}; the same tasks at every point, bands are intervals."
    return markup.figure(f"{metric_of(first.metric).label}, {_title(name, lines)}", drawing, caption)


def _draw(axes: Axes, result: Robustness, lines: Sequence[_Line], legend: bool) -> None:
    """Means with the bands of their intervals: a colour a run, broken lines for FGSM where PGD is there too."""
    first = result.figures[0]
    metric, whats = metric_of(first.metric), {line.what for line in lines}
    for line in lines:
        place = result.runs.index(line.run)
        x, y, half = zip(*((p.at, p.figure.mean, p.figure.ci95) for p in line.points), strict=True)
        label = line.run if len(whats) == 1 else f"{line.run}, {line.what}"
        low, high = ([m + sign * h for m, h in zip(y, half, strict=True)] for sign in (-1, 1))
        axes.fill_between(x, low, high, color=COLOURS[place], alpha=0.15, linewidth=0)
        style = STYLES[line.what] if len(whats) > 1 else "-"
        axes.plot(x, y, style, color=COLOURS[place], marker=MARKERS[place], markersize=4, linewidth=1.6, label=label)
    axes.set_xlabel("level of noise" if whats == {NOISE} else f"radius ({_unit(lines[0])})")
    axes.set_ylabel(metric.label.lower())
    if whats == {NOISE}:
        axes.set_xticks(sorted({point.at for line in lines for point in line.points}))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    if metric.fraction:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_ylim(0, 1)
    level = bars.chance_level(first)
    if level is not None:
        axes.axhline(level, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate("chance", (1, level), (0, -11), xycoords=("axes fraction", "data"), textcoords="offset points",
                      ha="right", color=MUTED, fontsize=8)  # fmt: skip
    if legend and len(lines) > 1:
        axes.legend(frameon=False, fontsize=8)


def _unit(line: _Line) -> str:
    """The unit of a line's radii."""
    attack = line.points[-1].figure.corruption.attack
    return attack.units[line.points[-1].input] if attack else ""
