"""Heatmaps: matrices as tables whose cells are coloured by their value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from omnishot.html import markup

#: Share of the colour at a value of 1, in percent; more would make the number hard to read.
MOST_COLOUR = 60


def heatmap(title: str, values: np.ndarray, names: Sequence[str]) -> str:
    """The lower triangle of a symmetric matrix `[n, n]` of values from -1 to 1, with the diagonal; NaN is a dash."""
    head = "".join(f'<th scope="col">{markup.text(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{markup.text(name)}</th>{"".join(_cell(v) for v in values[i, : i + 1])}'
        f"{'<td></td>' * (len(names) - i - 1)}</tr>"
        for i, name in enumerate(names)
    )
    return (
        f'<figure class="heatmap"><h3>{markup.text(title)}</h3><div class="scroll"><table><thead><tr><td></td>{head}'
        f"</tr></thead><tbody>{rows}</tbody></table></div></figure>"
    )


def _cell(value: float) -> str:
    if not np.isfinite(value):
        return '<td class="heat">–</td>'
    colour = "--accent" if value >= 0 else "--mark"
    strength = f"{MOST_COLOUR * min(abs(value), 1):.0f}%"
    number = f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")
    background = f"color-mix(in srgb, var({colour}) {strength}, transparent)"
    return f'<td class="heat" style="background:{background}">{number}</td>'
