"""Features as points of a plane, coloured by class or by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from omnishot.analysis.explain.explanation import Explanation
from omnishot.html import markup
from omnishot.html.line_chart import INK, chart, svg

#: Colours that the colour-blind can tell apart and none of which changes in the dark; with each turn through them
#: another sign.
COLOURS = ("#0173b2", "#de8f05", "#029e73", "#cc78bc", "#d65f00", "#56b4e9", "#ca9161", "#949494")
SIGNS = {"o": "●", "s": "■", "^": "▲", "v": "▼", "D": "◆", "P": "✚"}
SIDE = 3.9  # inches


def scatters(found: Explanation, shown: Sequence[int]) -> str:
    """The features before the task was learned and after (or once, if they stay), with a legend; rows that are `shown`
    elsewhere have their number.
    """
    picture = found.picture
    pairs = [("Before learning the task", picture.before), ("After", picture.after)]
    if picture.before is None:
        pairs = [("Features of the task's rows", picture.after)]
    everything = np.concatenate([part for _, points in pairs if points is not None for part in points])
    middle, reach = (everything.max(0) + everything.min(0)) / 2, np.ptp(everything, axis=0).max() / 2 * 1.1 or 1.0
    box = [(at - reach, at + reach) for at in middle]
    drawn = "".join(
        f"<figure><h3>{markup.text(title)}</h3>{_scatter(found, points, box, shown, title)}</figure>"
        for title, points in pairs
        if points is not None
    )
    return f'<div class="charts">{drawn}</div>{_legend(found)}'


def _scatter(
    found: Explanation,
    points: Sequence[np.ndarray],
    box: Sequence[tuple[float, float]],
    shown: Sequence[int],
    title: str,
) -> str:
    task = found.task
    of_query, of_support = _classes(found), task.taught
    wrong = ~found.right & task.known & bool(task.names)
    alt = f"{title}: {len(points[0])} query rows{f' and {len(points[1])} support rows' if len(points) > 1 else ''}"
    with chart("", "", SIDE) as (canvas, axes):
        axes.set_xlim(*box[0])
        axes.set_ylim(*box[1])
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        for kind, at in enumerate(points):
            of, support = (of_query, of_support)[kind], kind == 1
            for look, rows in _looks(found, of).items():
                colour, sign = look
                axes.scatter(
                    at[rows, 0], at[rows, 1], s=130 if support else 30, marker=sign, zorder=3 - kind, linewidths=1.6,
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


def _classes(found: Explanation) -> np.ndarray:
    """What the query rows are coloured by: the truth, or the answers unless all of it is known."""
    return found.task.truth if found.task.known.all() else found.answer


def _looks(found: Explanation, of: np.ndarray) -> Mapping[tuple[str, str], np.ndarray]:
    """Colour and sign, and the rows that have them."""
    if found.task.names:
        return {_look(c): np.flatnonzero(of == c) for c in range(len(found.task.names)) if (of == c).any()}
    low, high = _range(found)
    shades = colormaps["viridis"](np.clip((of - low) / (high - low or 1), 0, 1))
    return {(to_hex(shade), "o"): np.flatnonzero((shades == shade).all(1)) for shade in shades}


def _look(c: int) -> tuple[str, str]:
    return COLOURS[c % len(COLOURS)], list(SIGNS)[c // len(COLOURS) % len(SIGNS)]


def _range(found: Explanation) -> tuple[float, float]:
    values = np.concatenate([_classes(found), found.task.taught])
    return float(values.min()), float(values.max())


def _legend(found: Explanation) -> str:
    task = found.task
    if task.names:
        marks = [(_look(c), name) for c, name in enumerate(task.names)]
    else:
        low, high = _range(found)
        marks = [((to_hex(colormaps["viridis"](at)), "o"), f"{task.target} {low + at * (high - low):.3g}")
                 for at in (0.0, 0.5, 1.0)]  # fmt: skip
    items = "".join(
        f'<li><span class="dot" style="color:{colour}" aria-hidden="true">{SIGNS[sign]}</span> {markup.text(name)}</li>'
        for (colour, sign), name in marks
    )
    return f'<ul class="legend">{items}</ul>'
