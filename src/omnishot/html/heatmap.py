"""Matrices as tables whose cells are coloured by their value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from omnishot.html import markup


def heat_map(title: str, values: np.ndarray, names: Sequence[str]) -> str:
    """A symmetric matrix of values from -1 to 1, `[n, n]`, the lower half with the diagonal; NaN is left open."""
    head = "".join(f'<th scope="col">{markup.text(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{markup.text(name)}</th>{"".join(_cell(v) for v in values[i, : i + 1])}'
        f"{'<td></td>' * (len(names) - i - 1)}</tr>"
        for i, name in enumerate(names)
    )
    return (
        f'<figure class="heat"><h3>{markup.text(title)}</h3><div class="scroll"><table><thead><tr><td></td>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div></figure>"
    )


def _cell(value: float) -> str:
    if not np.isfinite(value):
        return '<td class="hot">–</td>'
    colour = "--accent" if value >= 0 else "--mark"
    share = f"{100 * min(abs(value), 1) * 0.6:.0f}%"  # at most so much that the figure stays readable on it
    said = f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")
    return f'<td class="hot" style="background:color-mix(in srgb, var({colour}) {share}, transparent)">{said}</td>'
