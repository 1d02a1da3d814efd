"""Row by row: what was shown, how much each cell moved the answer, and which rows it is most like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from omnishot.analysis.explain.explanation import Explanation
from omnishot.html import markup
from omnishot.html.cells import cell, cells
from omnishot.html.signed_bars import Scale, saying


def chosen(found: Explanation, count: int) -> list[int]:
    """Which query rows to show: wrong answers, the surest first, for half of them at most; then right ones, a class
    after the other. Where the truth is not known, the first rows.
    """
    task, total = found.task, len(found.answer)
    if not task.names or not task.known.all():
        return list(range(min(count, total)))
    assert found.probabilities is not None
    sure = found.probabilities.max(-1)
    wrong = sorted(np.flatnonzero(~found.right).tolist(), key=lambda row: -sure[row])
    right = _in_turn(np.flatnonzero(found.right), task.truth)
    few = min(len(wrong), max(count // 2, count - len(right)))
    return [*wrong[:few], *right[: count - few]]


def chosen_said(found: Explanation, rows: Sequence[int]) -> str:
    """What `chosen` chose, in words."""
    total, wrong = len(found.answer), int((~found.right[list(rows)]).sum())
    if len(rows) == total:
        return f"All {total} rows."
    if not found.task.names or not found.task.known.all():
        return f"The first {len(rows)} of {total} rows."
    parts = [f"{wrong} of {int((~found.right).sum())} wrong answers (the surest)"] if wrong else []
    parts += [f"{len(rows) - wrong} right ones (a class after the other)"] if wrong < len(rows) else []
    return f"Shown are {' and '.join(parts)}, of {total} rows."


def row_cards(found: Explanation, rows: Sequence[int]) -> str:
    """A card for each of these query rows, numbered from 1."""
    scale = Scale.of(found.contributions[list(rows)])
    return "".join(_card(found, row, number, scale) for number, row in enumerate(rows, 1))


def _card(found: Explanation, row: int, number: int, scale: Scale) -> str:
    task, query = found.task, found.task.query
    value, change = saying(bool(task.names))
    lines = []
    for i in np.argsort(-found.contributions[row], kind="stable"):
        name = found.inputs[i]
        seen = cell(
            name,
            query.store.modalities[name],
            np.asarray(query.store.stored[name][query.index[row]]),
            bool(query.present[row, i]),
            f"row {number}",
        )
        said = f"<b>{markup.text(change(found.contributions[row, i]))}</b>" if query.present[row, i] else "absent"
        weight, alone = "", ""
        if query.present[row, i] and len(found.inputs) > 1:
            guess = found.said(found.alone[row, i])
            named = markup.text(guess if isinstance(guess, str) else f"{guess:.4g}")
            alone = f'<p class="note">alone: <span{_right(found, row, found.alone[row, i])}>{named}</span></p>'
        if found.weights is not None and query.present[row, i]:
            weight = f"<small>weight {found.weights[row, i]:.2f}</small>"
        lines.append(
            f'<li><span class="label">{markup.text(name)}</span><div><div class="cells">{seen}</div>{alone}</div>'
            f'{scale.bar(found.contributions[row, i])}<span class="value">{said}{weight}</span></li>'
        )
    nothing, everything = value(found.values[0, row]), value(found.values[-1, row])
    ends = (
        f"By guessing the answer has {nothing}" if task.names else f"On average over the training rows it is {nothing}"
    )
    ends += f", with all that is shown {everything}. The cells make the difference:"
    return (
        f'<article class="card why"><h3><span class="nth">{number}</span> Row {query.numbers[row]}</h3>'
        f'{_verdict(found, row)}<div class="split"><div><p class="note">{markup.text(ends)}</p>'
        f'<ul class="pulls">{"".join(lines)}</ul></div>{_alike(found, row)}</div></article>'
    )


def _verdict(found: Explanation, row: int) -> str:
    task = found.task
    if not task.names:
        truth = f" <small>it is {task.truth[row]:.4g}</small>" if task.known[row] else ""
        return f'<p class="verdict"><small>{markup.text(task.target)}</small> {found.answer[row]:.4g}{truth}</p>'
    assert found.probabilities is not None
    order = np.argsort(-found.probabilities[row], kind="stable")[:2]
    names = [f"{task.names[c]}" for c in order]
    shares = [f"{found.probabilities[row, c]:.0%}" for c in order]
    said = f"{markup.text(names[0])} <small>{shares[0]}, then {markup.text(names[1])} {shares[1]}</small>"
    if not task.known[row]:
        return f'<p class="verdict">{said}</p>'
    if found.right[row]:
        return f'<p class="verdict right"><span aria-label="right">✓</span> {said}</p>'
    truth = f"<br><small>it is {markup.text(task.names[int(task.truth[row])])}</small>"
    return f'<p class="verdict wrong"><span aria-label="wrong">✗</span> {said}{truth}</p>'


def _alike(found: Explanation, row: int) -> str:
    """The support rows nearest to a query row."""
    support = found.task.support
    if found.neighbours is None or support is None:
        return ""
    shown = []
    for s, distance in zip(found.neighbours[0][row], found.neighbours[1][row], strict=True):
        target = found.said(found.task.taught[s])
        name = target if isinstance(target, str) else f"{found.task.target}: {target:.4g}"
        same = _right(found, row, found.task.taught[s])
        shown.append(
            f'<div class="row"><span class="role"><b{same}>{markup.text(name)}</b>, distance {distance:.3g}</span>'
            f'<div class="cells">{cells(support.store, int(support.index[s]), support.present[s], name)}</div></div>'
        )
    return f'<div class="alike"><p class="note">Of the rows it learned from, most like these:</p>{"".join(shown)}</div>'


def _right(found: Explanation, row: int, value: float) -> str:
    """Marks a class that is the row's own."""
    task = found.task
    return ' class="right"' if task.names and task.known[row] and value == task.truth[row] else ""


def _in_turn(rows: np.ndarray, classes: np.ndarray) -> list[int]:
    """The rows, one of every class, then another one of every class, …"""
    seen: dict[int, int] = {}
    turns = []
    for row in rows:
        turns.append(seen.setdefault(int(classes[row]), 0))
        seen[int(classes[row])] += 1
    return [int(rows[i]) for i in np.lexsort((classes[rows], turns))] if len(rows) else []
