"""Charts drawn with matplotlib, as SVG that takes its colours and fonts from the page."""

from __future__ import annotations

import io
import re
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator, PercentFormatter

from omnishot.html.markup import text

#: Colours of the drawing, and the variables of the page that replace them, so that charts follow dark mode.
COLOURS = {"#0072b2": "--accent", "#d55e00": "--mark", "#1b1f24": "--ink", "#59636e": "--muted", "#d1d9e0": "--line"}
ACCENT, MARK, INK, MUTED, LINE = COLOURS
#: Width and height in inches; the width is that of a phone, so that text stays readable there.
SIZE = (4.9, 2.9)
#: Most points of a line; longer lines are averaged.
MOST_POINTS = 400

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be searched, and read aloud
    "svg.hashsalt": "omnishot",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.labelsize": 10,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "lines.linewidth": 2,
}
_lock = threading.Lock()  # matplotlib's settings belong to the process


def loss_chart(steps: Sequence[float], losses: Sequence[float], alt: str) -> str:
    """The training loss by step: each value in a faint line, and their running mean."""
    x, y = np.asarray(steps, np.float64), np.asarray(losses, np.float64)
    width = max(1, len(y) // 20)
    mean = np.convolve(y, np.ones(width) / width, mode="valid")
    with chart("meta-training step", "training loss") as (canvas, axes):
        axes.plot(*_thinned(x, y), color=ACCENT, linewidth=1, alpha=0.3)
        axes.plot(*_thinned(x[width - 1 :], mean), color=ACCENT)
        axes.set_xlim(left=0)
        return svg(canvas, alt)


def line_chart(
    x: Sequence[float],
    mean: Sequence[float],
    ci95: Sequence[float],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    fraction: bool = False,
    shares: bool = False,
    mark: tuple[float, str] | None = None,
    chance: float | None = None,
) -> str:
    """Means with the band of their 95% intervals.

    Args:
        mean, ci95: means and half-widths of their intervals, at each `x`.
        fraction: whether the means are fractions of 1, shown in percent.
        shares: whether the values of `x` are fractions of 1, shown in percent.
        mark: a value of `x` to mark, and its label.
        chance: the value of guessing, drawn as a dashed line.
    """
    at, y, half = (np.asarray(values, np.float64) for values in (x, mean, ci95))
    with chart(xlabel, ylabel) as (canvas, axes):
        axes.fill_between(at, y - half, y + half, color=ACCENT, alpha=0.18, linewidth=0)
        axes.plot(at, y, color=ACCENT, marker="o", markersize=4.5)
        if shares:
            axes.set_xticks(at)
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        else:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        if fraction:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        if chance is not None:
            _chance(axes, chance, right=abs(y[-1] - chance) > abs(y[0] - chance))
        if mark is not None:
            _mark(axes, at, y, *mark)
        axes.margins(x=0.04)
        return svg(canvas, alt)


def _chance(axes: Axes, chance: float, right: bool) -> None:
    axes.axhline(chance, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.annotate(
        "chance",
        (float(right), chance),
        (0, 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right" if right else "left",
        color=MUTED,
    )


def _mark(axes: Axes, x: np.ndarray, y: np.ndarray, at: float, label: str) -> None:
    nearest = int(np.abs(x - at).argmin())
    right = x[nearest] > (x[0] + x[-1]) / 2
    # The label goes towards the middle, on the side of the line that is free there.
    below = bool(y[0] > y[nearest] if right else y[-1] > y[nearest])
    axes.plot(x[nearest], y[nearest], "o", color=MARK, markersize=8, zorder=5)
    low, high = axes.get_ylim()
    room = 0.14 * (high - low)
    axes.set_ylim(low - room * below, high + room * (not below))
    axes.annotate(
        label,
        (x[nearest], y[nearest]),
        (6 if right else -6, -10 if below else 10),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top" if below else "bottom",
        color=MARK,
        fontweight="bold",
    )


@contextmanager
def chart(xlabel: str, ylabel: str, height: float = SIZE[1]) -> Iterator[tuple[Canvas, Axes]]:
    """An empty chart, `height` inches high, and its axes."""
    with _lock, matplotlib.rc_context(_STYLE):
        canvas = Canvas(figsize=(SIZE[0], height), layout="constrained")
        axes = canvas.add_subplot()
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        yield canvas, axes


@contextmanager
def panels(titles: Sequence[str], across: int = 3) -> Iterator[tuple[Canvas, list[Axes]]]:
    """One figure with an empty chart per title, `across` in a row."""
    down = -(-len(titles) // across)
    with _lock, matplotlib.rc_context(_STYLE):
        canvas = Canvas(figsize=(SIZE[0] * min(across, len(titles)), (SIZE[1] + 0.3) * down), layout="constrained")
        every = [axes for row in canvas.subplots(down, min(across, len(titles)), squeeze=False) for axes in row]
        for axes, title in zip(every, titles, strict=False):
            axes.set_title(title, color=INK, fontsize=11)
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        for axes in every[len(titles) :]:
            axes.set_axis_off()
        yield canvas, every[: len(titles)]


def svg(canvas: Canvas, alt: str) -> str:
    """The drawing as an inline SVG element; its ids are unique, so that a page can hold several."""
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", drawing, flags=re.DOTALL)
    head, body = drawing.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    salt = f"c{zlib.crc32(body.encode()):x}"
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{salt}-", body)
    for colour, variable in COLOURS.items():
        body = body.replace(colour, f"var({variable})")
    return f'<svg {box[0]} role="img" aria-label="{text(alt)}"><title>{text(alt)}</title>{body}'


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A line of more than MOST_POINTS points as the means of equal stretches."""
    if len(x) <= MOST_POINTS:
        return x, y
    parts = np.array_split(np.stack([x, y]), MOST_POINTS, axis=1)
    return tuple(np.stack([part.mean(1) for part in parts], 1))
