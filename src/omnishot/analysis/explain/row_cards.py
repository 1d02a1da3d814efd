"""Cards of single query rows: their cells, the contribution of each cell, and the nearest support rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from omnishot.analysis.explain.explanation import Explanation
from omnishot.html import markup
from omnishot.html.cells import cell, cells
from omnishot.html.signed_bars import Scale, ValueFormat


def choose_rows(explanation: Explanation, count: int) -> list[int]:
    """The query rows to show.

    Wrong predictions come first, the most confident first, for half of the rows at most; then correct ones, taking the
    classes in turn. Where targets are unknown or numbers, the first rows.
    """
    task, probabilities = explanation.task, explanation.probabilities
    if probabilities is None or not task.has_target.all():
        return list(range(min(count, len(explanation.prediction))))
    confidence = probabilities.max(-1)
    wrong = sorted(np.flatnonzero(~explanation.correct).tolist(), key=lambda row: -confidence[row])
    correct = _classes_in_turn(np.flatnonzero(explanation.correct), task.query_target)
    few = min(len(wrong), max(count // 2, count - len(correct)))
    return [*wrong[:few], *correct[: count - few]]


def choice_text(explanation: Explanation, rows: Sequence[int]) -> str:
    """What the rows of `choose_rows` are, as a sentence."""
    total, wrong = len(explanation.prediction), int((~explanation.correct[list(rows)]).sum())
    if len(rows) == total:
        return f"All {total} rows."
    if not explanation.task.classes or not explanation.task.has_target.all():
        return f"The first {len(rows)} of {total} rows."
    every = int((~explanation.correct).sum())
    parts = [f"{wrong} of {every} wrong predictions (the most confident)"] if wrong else []
    parts += [f"{len(rows) - wrong} correct ones (classes in turn)"] if wrong < len(rows) else []
    return f"Shown: {' and '.join(parts)}, of {total} rows."


def row_cards(explanation: Explanation, rows: Sequence[int]) -> str:
    """A card for each of these query rows, numbered from 1."""
    scale = Scale.of(explanation.contributions[list(rows)])
    return "".join(_card(explanation, row, number, scale) for number, row in enumerate(rows, 1))


def _card(explanation: Explanation, row: int, number: int, scale: Scale) -> str:
    task, contributions = explanation.task, explanation.contributions[row]
    order = np.argsort(-contributions, kind="stable")
    items = "".join(_cell_item(explanation, row, int(i), scale, f"row {number}") for i in order)
    text = ValueFormat(bool(task.classes))
    base, value = text.value(explanation.values[0, row]), text.value(explanation.values[-1, row])
    line = (
        f"Probability of the predicted class: {base} without any cell, {value} with all cells. Contributions:"
        if task.classes
        else f"Without any cell (mean of the training rows): {base}, with all cells: {value}. Contributions:"
    )
    return (
        f'<article class="card why"><h3><span class="nth">{number}</span> Row {task.query.numbers[row]}</h3>'
        f'{_verdict(explanation, row)}<div class="split"><div><p class="note">{markup.text(line)}</p>'
        f'<ul class="contributions">{items}</ul></div>{_nearest(explanation, row)}</div></article>'
    )


def _cell_item(explanation: Explanation, row: int, i: int, scale: Scale, of: str) -> str:
    """One cell of a row, the prediction from it alone, and its contribution; `of` names the row."""
    task, query, name = explanation.task, explanation.task.query, explanation.inputs[i]
    present, contribution = bool(query.present[row, i]), explanation.contributions[row, i]
    picture = cell(
        name, query.store.modalities[name], np.asarray(query.store.stored[name][query.index[row]]), present, of
    )
    value, weight, alone = "absent", "", ""
    if present:
        value = f"<b>{markup.text(ValueFormat(bool(task.classes)).difference(contribution))}</b>"
        if len(explanation.inputs) > 1:
            label = explanation.label(explanation.alone[row, i])
            text = markup.text(label if isinstance(label, str) else f"{label:.4g}")
            mark = _mark(explanation, row, explanation.alone[row, i])
            alone = f'<p class="note">alone: <span{mark}>{text}</span></p>'
        if explanation.fusion_weights is not None:
            weight = f"<small>weight {explanation.fusion_weights[row, i]:.2f}</small>"
    return (
        f'<li><span class="label">{markup.text(name)}</span><div><div class="cells">{picture}</div>{alone}</div>'
        f'{scale.bar(contribution)}<span class="value">{value}{weight}</span></li>'
    )


def _verdict(explanation: Explanation, row: int) -> str:
    """The prediction of a row, and its target where known."""
    task, prediction, probabilities = explanation.task, explanation.prediction[row], explanation.probabilities
    if probabilities is None:
        target = f" <small>target {task.query_target[row]:.4g}</small>" if task.has_target[row] else ""
        return f'<p class="verdict"><small>{markup.text(task.target)}</small> {prediction:.4g}{target}</p>'
    order = np.argsort(-probabilities[row], kind="stable")[:2]
    names = [markup.text(task.classes[c]) for c in order]
    percents = [f"{probabilities[row, c]:.0%}" for c in order]
    second = f", then {names[1]} {percents[1]}" if len(order) > 1 else ""
    text = f"{names[0]} <small>{percents[0]}{second}</small>"
    if not task.has_target[row]:
        return f'<p class="verdict">{text}</p>'
    if explanation.correct[row]:
        return f'<p class="verdict right"><span aria-label="correct">✓</span> {text}</p>'
    target = f"<br><small>target: {markup.text(task.classes[int(task.query_target[row])])}</small>"
    return f'<p class="verdict wrong"><span aria-label="wrong">✗</span> {text}{target}</p>'


def _nearest(explanation: Explanation, row: int) -> str:
    """The support rows nearest to a query row."""
    task, support = explanation.task, explanation.task.support
    if explanation.neighbours is None or support is None:
        return ""
    items = []
    for s, distance in zip(explanation.neighbours[0][row], explanation.neighbours[1][row], strict=True):
        target = explanation.label(task.support_target[s])
        name = target if isinstance(target, str) else f"{task.target}: {target:.4g}"
        mark = _mark(explanation, row, task.support_target[s])
        items.append(
            f'<div class="row"><span class="role"><b{mark}>{markup.text(name)}</b>, distance {distance:.3g}</span>'
            f'<div class="cells">{cells(support.store, int(support.index[s]), support.present[s], name)}</div></div>'
        )
    return f'<div class="similar"><p class="note">Nearest support rows:</p>{"".join(items)}</div>'


def _mark(explanation: Explanation, row: int, value: float) -> str:
    """The attribute that marks a class as the row's target."""
    task = explanation.task
    return ' class="right"' if task.classes and task.has_target[row] and value == task.query_target[row] else ""


def _classes_in_turn(rows: np.ndarray, classes: np.ndarray) -> list[int]:
    """The rows ordered so that the classes take turns: the first row of every class, then the second of every class."""
    counts: dict[int, int] = {}
    turns = []
    for row in rows:
        turns.append(counts.setdefault(int(classes[row]), 0))
        counts[int(classes[row])] += 1
    return [int(rows[i]) for i in np.lexsort((classes[rows], turns))] if len(rows) else []
