"""The sample episode as HTML: a card for each class, with a row to learn from and rows to be judged on."""

from __future__ import annotations

import numpy as np

from omnishot.episodes.store import Store
from omnishot.html import markup
from omnishot.html.cells import cells
from omnishot.report.episode import Sample

#: What is shown of an episode.
CLASSES, SUPPORT, QUERIES = 6, 1, 2
NUMBER_ROWS = 6  # of each half, where the target is a number


def cards(sample: Sample, store: Store) -> str:
    """The episode's first classes (or rows, where numbers are predicted), every cell as a person would look at it."""
    if not sample.names:
        return _number_cards(sample, store)
    shown = "".join(_class_card(sample, store, c) for c in range(min(CLASSES, len(sample.names))))
    return f'<div class="cards">{shown}</div>'


def summary(sample: Sample, shots: int) -> str:
    """What the cards leave out."""
    task = f" of {sample.group}" if sample.group else ""
    rows = len(sample.query)
    if not sample.names:
        error = float(np.abs(sample.answer - sample.query_target).mean())
        said = f"The {rows} query rows of this task are off by {error:.3g} on average"
    else:
        said = f"{int(sample.right.sum())} of this task's {rows} query rows are answered right"
        if len(sample.names) > CLASSES:
            said += f"; shown are {CLASSES} of its {len(sample.names)} classes"
        if shots > SUPPORT:
            said += f"; {SUPPORT} of {shots} support rows a class is shown"
    card = "Each card is a class: a row it was learned from, and rows that had to be named. " if sample.names else ""
    return f"One {sample.part} task{task}, seed {sample.seed}. {card}{said}. One task is an example, not a figure."


def _class_card(sample: Sample, store: Store, c: int) -> str:
    name = sample.names[c]
    learned = np.flatnonzero(sample.support_target == c)[:SUPPORT]
    asked = np.flatnonzero(sample.query_target == c)[:QUERIES]
    rows = [_row("learned from", cells(store, sample.support[i], sample.support_present[i], name)) for i in learned]
    rows += [
        _row("asked", cells(store, sample.query[i], sample.query_present[i], name), _verdict(sample, i)) for i in asked
    ]
    return f'<article class="card"><h3>{markup.text(name)}</h3>{"".join(rows)}</article>'


def _number_cards(sample: Sample, store: Store) -> str:
    learned = "".join(
        _number_row(sample, store, *row)
        for row in list(zip(sample.support, sample.support_present, sample.support_target, strict=True))[:NUMBER_ROWS]
    )
    asked = "".join(
        _number_row(sample, store, *row)
        for row in list(
            zip(sample.query, sample.query_present, sample.query_target, sample.answer, strict=True)
        )[:NUMBER_ROWS]
    )  # fmt: skip
    return (
        f'<div class="cards halves"><article class="card"><h3>Learned from</h3>{learned}</article>'
        f'<article class="card"><h3>Asked</h3>{asked}</article></div>'
    )


def _number_row(
    sample: Sample, store: Store, row: int, present: np.ndarray, target: float, answer: float | None = None
) -> str:
    said = f"{sample.target}: {target:.4g}"
    verdict = "" if answer is None else f'<p class="verdict"><small>answered</small> {answer:.4g}</p>'
    return _row(said, cells(store, row, present, said), verdict)


def _verdict(sample: Sample, row: int) -> str:
    assert sample.probability is not None
    right = bool(sample.right[row])
    said = f"{markup.text(sample.names[int(sample.answer[row])])} <small>{sample.probability[row]:.0%}</small>"
    word, sign = ("right", "✓") if right else ("wrong", "✗")
    return f'<p class="verdict {word}"><span aria-label="{word}">{sign}</span> {said}</p>'


def _row(role: str, cells: str, verdict: str = "") -> str:
    return (
        f'<div class="row"><span class="role">{markup.text(role)}</span><div class="cells">{cells}</div>{verdict}</div>'
    )
