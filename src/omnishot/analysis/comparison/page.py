"""The page and the plot of a comparison."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from omnishot.analysis.comparison.leaderboard import Comparison
from omnishot.core.storage import write_atomic
from omnishot.evaluation.format import interval, protocol
from omnishot.html import bars, markup
from omnishot.html.line_chart import ACCENT, MUTED, chart, svg
from omnishot.html.page import Section, page
from omnishot.metrics.metric import metric_of

#: Heights in inches: of a row of the plot, and of its axis.
ROW, MARGIN = 0.24, 0.75


def write(comparison: Comparison) -> Path:
    """Write `comparison.html`, and the plot as `comparison.png` and `comparison.svg`, into the comparison's folder.

    Returns:
        The page's path. There is no plot if no cell has a figure.
    """
    head, rows = comparison.lines()
    sections = []
    if comparison.ranked:
        inline, files = plot(comparison)
        for name, data in files.items():
            write_atomic(comparison.folder / f"comparison.{name}", data)
        caption = (
            "Means over episodes with their 95% intervals, best first; the axis does not start at zero. Shaded: the "
            "interval of the best. In colour: the best and its ties, whose intervals overlap it."
        )
        sections.append(
            Section("Ranking", f'<div class="charts">{markup.figure(_label(comparison), inline, caption)}</div>')
        )
    notes = "".join(map(markup.note, comparison.notes))
    sections.append(Section("Leaderboard", markup.table(head, rows) + notes))
    groups = {comparison.label(cell): cell.figures for _, cell in comparison.ranked}
    if any(len({f.condition for f in figures}) > 1 for figures in groups.values()):
        sections.append(Section("Subsets of the inputs and missing cells", bars.comparison(groups)))
    path = comparison.folder / "comparison.html"
    write_atomic(path, page("Comparison of learners", _headline(comparison), sections))
    return path


def plot(comparison: Comparison) -> tuple[str, dict[str, bytes]]:
    """Draw the cells that have figures (at least one) as points with intervals, best first.

    Returns:
        The drawing as an SVG element for a page, and the contents of its `png` and `svg` files.
    """
    ranked, names = comparison.ranked, [comparison.label(cell) for _, cell in comparison.ranked]
    first = comparison.figures[0]
    metric = metric_of(first.metric)
    texts = "; ".join(f"{name} {interval(cell.figures[0])}" for name, (_, cell) in zip(names, ranked, strict=True))
    with chart(metric.label.lower(), "", MARGIN + ROW * len(ranked)) as (canvas, axes):
        axes.axvspan(first.mean - first.ci95, first.mean + first.ci95, color=ACCENT, alpha=0.12, linewidth=0)
        for place, (rank, cell) in enumerate(ranked):
            figure, colour = cell.figures[0], ACCENT if rank == 1 else MUTED
            axes.errorbar(figure.mean, place, xerr=figure.ci95, fmt="o", color=colour, markersize=5, capsize=3)
        axes.set_yticks(range(len(ranked)), names)
        axes.set_ylim(len(ranked) - 0.5, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.yaxis.grid(False)
        axes.xaxis.grid(True)
        if metric.fraction:
            axes.xaxis.set_major_formatter(PercentFormatter(1))
        _chance(axes, bars.chance_level(first))
        files = {}
        for kind, options in (("png", {"dpi": 200}), ("svg", {"metadata": {"Date": None}})):
            buffer = io.BytesIO()
            canvas.savefig(buffer, format=kind, **options)
            files[kind] = buffer.getvalue()
        return svg(canvas, f"{metric.label}, best first: {texts}"), files


def _chance(axes: Axes, level: float | None) -> None:
    """Draw the accuracy of guessing if it is within or near the range of the axis."""
    low, high = axes.get_xlim()
    if level is not None and low - (high - low) / 2 < level < high:
        axes.axvline(level, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate("chance", (level, 1), (2, 1), xycoords=("data", "axes fraction"), textcoords="offset points",
                      color=MUTED, fontsize=9)  # fmt: skip


def _label(comparison: Comparison) -> str:
    return metric_of(comparison.figures[0].metric).label


def _headline(comparison: Comparison) -> str:
    """Number of cells, budget, best cells and protocol in one line."""
    parts = [f"{len(comparison.cells)} {'run' if len(comparison.cells) == 1 else 'runs'}", str(comparison.budget)]
    if comparison.ranked:
        best = [comparison.label(cell) for rank, cell in comparison.ranked if rank == 1]
        parts += [f"best: {best[0]}" if len(best) == 1 else f"tied for the best: {', '.join(best)}"]
        parts += [protocol(comparison.figures[0]).partition(";")[0]]
    return f'<p class="lead">{markup.text("; ".join(parts))}.</p>'
