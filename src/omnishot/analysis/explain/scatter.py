"""Scatter plots of projected features, coloured by class or by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from omnishot.analysis.explain.explanation import Explanation
from omnishot.html import markup
from omnishot.html.line_chart import INK, chart, svg

#: Colours that remain distinct for colour-blind readers, on light and dark pages. Each round through them has another
#: marker.
COLOURS = ("#0173b2", "#de8f05", "#029e73", "#cc78bc", "#d65f00", "#56b4e9", "#ca9161", "#949494")
MARKERS = {"o": "●", "s": "■", "^": "▲", "v": "▼", "D": "◆", "P": "✚"}
#: Height of a plot in inches.
SIDE = 3.9


def scatters(explanation: Explanation, shown: Sequence[int]) -> str:
    """The features before and after adaptation (once, if adaptation leaves them unchanged), with a legend.

    Args:
        shown: query rows that have a card; their points get its number.
    """
    features = explanation.features
    pairs = [("Before adaptation", features.before), ("After adaptation", features.after)]
    if features.before is None:
        pairs = [("Features of the task's rows", features.after)]
    everything = np.concatenate([part for _, points in pairs if points is not None for part in points])
    centre, reach = (everything.max(0) + everything.min(0)) / 2, np.ptp(everything, axis=0).max() / 2 * 1.1 or 1.0
    box = [(at - reach, at + reach) for at in centre]
    drawn = "".join(
        f"<figure><h3>{markup.text(title)}</h3>{_scatter(explanation, points, box, shown, title)}</figure>"
        for title, points in pairs
        if points is not None
    )
    return f'<div class="charts">{drawn}</div>{_legend(explanation)}'


def _scatter(
    explanation: Explanation,
    points: Sequence[np.ndarray],
    box: Sequence[tuple[float, float]],
    shown: Sequence[int],
    title: str,
) -> str:
    task = explanation.task
    query_values, support_values = _query_values(explanation), task.support_target
    wrong = ~explanation.correct & task.has_target & bool(task.classes)
    alt = f"{title}: {len(points[0])} query rows{f' and {len(points[1])} support rows' if len(points) > 1 else ''}"
    with chart("", "", SIDE) as (canvas, axes):
        axes.set_xlim(*box[0])
        axes.set_ylim(*box[1])
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        for kind, at in enumerate(points):
            values, support = (query_values, support_values)[kind], kind == 1
            for (colour, marker), rows in _by_style(explanation, values).items():
                axes.scatter(
                    at[rows, 0], at[rows, 1], s=130 if support else 30, marker=marker, zorder=3 - kind, linewidths=1.6,
                    edgecolors=INK if support else colour,
                    facecolors=[colour if support or not wrong[row] else "none" for row in rows],
                )  # fmt: skip
        for number, row in enumerate(shown, 1):
            axes.annotate(
                str(number),
                points[0][row],
                (4, 3),
                textcoords="offset points",
                fontweight="bold",
                fontsize=10,
                zorder=5,
            )
        return svg(canvas, alt)


def _query_values(explanation: Explanation) -> np.ndarray:
    """What the query rows are coloured by: their targets, or the predictions unless all targets are known."""
    return explanation.task.query_target if explanation.task.has_target.all() else explanation.prediction


def _by_style(explanation: Explanation, values: np.ndarray) -> Mapping[tuple[str, str], np.ndarray]:
    """The rows of each (colour, marker)."""
    if explanation.task.classes:
        classes = range(len(explanation.task.classes))
        return {_class_style(c): np.flatnonzero(values == c) for c in classes if (values == c).any()}
    low, high = _range(explanation)
    shades = colormaps["viridis"](np.clip((values - low) / (high - low or 1), 0, 1))
    return {(to_hex(shade), "o"): np.flatnonzero((shades == shade).all(1)) for shade in shades}


def _class_style(c: int) -> tuple[str, str]:
    """Colour and marker of a class."""
    return COLOURS[c % len(COLOURS)], list(MARKERS)[c // len(COLOURS) % len(MARKERS)]


def _range(explanation: Explanation) -> tuple[float, float]:
    values = np.concatenate([_query_values(explanation), explanation.task.support_target])
    return float(values.min()), float(values.max())


def _legend(explanation: Explanation) -> str:
    task = explanation.task
    if task.classes:
        marks = [(_class_style(c), name) for c, name in enumerate(task.classes)]
    else:
        low, high = _range(explanation)
        marks = [((to_hex(colormaps["viridis"](at)), "o"), f"{task.target} {low + at * (high - low):.3g}")
                 for at in (0.0, 0.5, 1.0)]  # fmt: skip
    items = "".join(
        f'<li><span class="dot" style="color:{colour}" aria-hidden="true">{MARKERS[marker]}</span> '
        f"{markup.text(name)}</li>"
        for (colour, marker), name in marks
    )
    return f'<ul class="legend">{items}</ul>'
