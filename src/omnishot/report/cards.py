"""The sample episode as HTML: a card per class with support and query rows, or two cards of rows with numbers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from omnishot.episodes.store import Store
from omnishot.html import markup
from omnishot.html.cells import cells
from omnishot.report.episode import Sample

#: Classes that are shown, and the support and query rows of each.
CLASSES, SUPPORT, QUERIES = 6, 1, 2
#: Support rows, and as many query rows, that are shown where the target is a number.
NUMBER_ROWS = 6


def cards(sample: Sample, store: Store) -> str:
    """The first classes of the episode, or its first rows where numbers are predicted, with all their cells."""
    if not sample.classes:
        return _number_cards(sample, store)
    shown = "".join(_class_card(sample, store, c) for c in range(min(CLASSES, len(sample.classes))))
    return f'<div class="cards">{shown}</div>'


def summary(sample: Sample, shots: int) -> str:
    """What the episode is, its score, and what the cards leave out."""
    task = f" ({sample.group})" if sample.group else ""
    rows = len(sample.query)
    card = ""
    if not sample.classes:
        error = float(np.abs(sample.prediction - sample.query_target).mean())
        score = f"The mean absolute error over the {rows} query rows of this task is {error:.3g}"
    else:
        card = "Each card is a class, with a support row and its query rows. "
        score = f"{int(sample.correct.sum())} of this task's {rows} query rows are predicted correctly"
        if len(sample.classes) > CLASSES:
            score += f"; {CLASSES} of its {len(sample.classes)} classes are shown"
        if shots > SUPPORT:
            score += f"; {SUPPORT} of {shots} support rows per class is shown"
    return f"One {sample.part} task{task}, seed {sample.seed}. {card}{score}. One task is an example, not an estimate."


def _class_card(sample: Sample, store: Store, c: int) -> str:
    name = sample.classes[c]
    support = np.flatnonzero(sample.support_target == c)[:SUPPORT]
    query = np.flatnonzero(sample.query_target == c)[:QUERIES]
    rows = [_row("support", cells(store, sample.support[i], sample.support_present[i], name)) for i in support]
    rows += [
        _row("query", cells(store, sample.query[i], sample.query_present[i], name), _verdict(sample, i)) for i in query
    ]
    return f'<article class="card"><h3>{markup.text(name)}</h3>{"".join(rows)}</article>'


def _number_cards(sample: Sample, store: Store) -> str:
    support = zip(sample.support, sample.support_present, sample.support_target, strict=True)
    query = zip(sample.query, sample.query_present, sample.query_target, sample.prediction, strict=True)
    return (
        f'<div class="cards halves"><article class="card"><h3>Support</h3>{_number_rows(sample, store, support)}'
        f'</article><article class="card"><h3>Query</h3>{_number_rows(sample, store, query)}</article></div>'
    )


def _number_rows(sample: Sample, store: Store, rows: Iterable[tuple]) -> str:
    return "".join(_number_row(sample, store, *row) for row in list(rows)[:NUMBER_ROWS])


def _number_row(
    sample: Sample, store: Store, row: int, present: np.ndarray, target: float, prediction: float | None = None
) -> str:
    text = f"{sample.target}: {target:.4g}"
    verdict = "" if prediction is None else f'<p class="verdict"><small>prediction</small> {prediction:.4g}</p>'
    return _row(text, cells(store, row, present, text), verdict)


def _verdict(sample: Sample, row: int) -> str:
    """The predicted class with its probability, marked as correct or wrong."""
    correct = bool(sample.correct[row])
    percent = "" if sample.probability is None else f" <small>{sample.probability[row]:.0%}</small>"
    text = f"{markup.text(sample.classes[int(sample.prediction[row])])}{percent}"
    style, label, sign = ("right", "correct", "✓") if correct else ("wrong", "wrong", "✗")
    return f'<p class="verdict {style}"><span aria-label="{label}">{sign}</span> {text}</p>'


def _row(role: str, cells: str, verdict: str = "") -> str:
    return (
        f'<div class="row"><span class="role">{markup.text(role)}</span><div class="cells">{cells}</div>{verdict}</div>'
    )
