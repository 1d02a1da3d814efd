"""The page that says why a learner answers so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from omnishot.analysis.explain.explanation import Explanation
from omnishot.analysis.explain.rows_page import chosen, chosen_said, row_cards
from omnishot.analysis.explain.scatter import scatters
from omnishot.analysis.explain.shapley import subsets
from omnishot.analysis.explain.similarity import PAIRS
from omnishot.core.storage import write_atomic
from omnishot.html import markup
from omnishot.html.heatmap import heat_map
from omnishot.html.page import Section, page
from omnishot.html.signed_bars import saying

#: Modules that are shown, of those that a task has moved.
MODULES = 12
#: CKA above which embeddings are nearly the same.
LITTLE = 0.99


def write(found: Explanation, path: str | Path, rows: int = 6, title: str = "Why it answers so") -> Path:
    """Write the page: one HTML file that needs nothing else.

    Args:
        rows: how many query rows are shown one by one.

    Raises:
        DataError: if the file cannot be written.
    """
    write_atomic(Path(path), page(title, headline(found), sections(found, rows)))
    return Path(path)


def headline(found: Explanation) -> str:
    """What is explained, and the answer in short."""
    task = found.task
    learner = task.learner
    inputs = [n if n == m.kind else f"{n} ({m.kind})" for n, m in learner.network.modalities.items()]
    said = f"{learner.called()} on {_listed(inputs)}; {task.said}"
    return f'<p class="lead">{markup.text(said)}</p>' + "".join(map(markup.note, task.notes))


def sections(found: Explanation, rows: int) -> list[Section]:
    """All there is to see, the rows themselves second."""
    shown = chosen(found, rows)
    own = Section("Row by row", markup.note(chosen_said(found, shown)) + _aside(found) + row_cards(found, shown))
    every = [moved_answers(found), own, _alike(found), _changed(found), _drawn(found, shown)]
    return [section for section in every if section]


def brief(found: Explanation, rows: int = 2) -> Section:
    """What a run's report shows of it."""
    shown = chosen(found, rows)
    moved, task = moved_answers(found), found.task
    html = markup.note(f"{task.said[0].upper()}{task.said[1:]}.") + (moved.html if moved else "")
    html += row_cards(found, shown) + markup.note(
        "More rows, and what learning the task changes: omnishot explain RUN."
    )
    return Section("Why it answers so", html)


def moved_answers(found: Explanation) -> Section | None:
    """How much each input moves the answers, over all rows; None for a single input."""
    task = found.task
    if len(found.inputs) == 1:
        return None
    _, change = saying(bool(task.names))
    order = [int(i) for i in np.argsort(-found.importance, kind="stable")]
    top = found.importance.max() or 1.0
    groups = "".join(
        f"<li><h3>{markup.text(found.inputs[i])}</h3><ul class='bars'>"
        f"{_line('moves an answer by', found.importance[i] / top, change(found.importance[i]).lstrip('+'))}"
        f"{_line('on balance', found.balance[i] / top, change(found.balance[i]), True)}{_weight(found, i)}</ul></li>"
        for i in order
    )
    total = len(found.answer)
    said = f"{_score(found)}What moves answers most is {_ranked(found, order)}, on average over {total} rows."
    value = "the probability of the class that is answered" if task.names else f"the {task.target} that is answered"
    nothing = "guessing" if task.names else "the mean of the training rows"
    how = (
        f"Every row was answered again with each subset of its cells. A contribution is how much showing the cell "
        f"changes {value}, averaged over all orders in which a row's cells can be shown (Shapley values): for each row "
        f"they add up to the difference between {nothing} and all shown. Here stands their mean size, and on balance "
        "their mean with its sign: an input that moves answers now this way, now that, as noise does, comes near zero. "
        "An absent cell counts as zero."
    )
    html = f"<p>{markup.text(said)}</p><ul class='groups'>{groups}</ul>{markup.note(how + _weights_said(found))}"
    return Section("What moves its answers", html + markup.details("With each subset of the inputs", _subsets(found)))


def _line(label: str, share: float, value: str, quiet: bool = False) -> str:
    return (
        f'<li><span class="label">{markup.text(label)}</span><span class="track" aria-hidden="true">'
        f'<i class="fill{" quiet" if quiet else ""}" style="width:{100 * max(0.0, min(share, 1.0)):.2f}%"></i></span>'
        f'<span class="value">{markup.text(value)}</span></li>'
    )


def _weight(found: Explanation, i: int) -> str:
    if found.weights is None:
        return ""
    mean = float(found.weights[:, i].mean())
    return _line(
        "weight in the fusion", mean / max(1.0, float(np.abs(found.weights.mean(0)).max())), f"{mean:.2f}", True
    )


def _weights_said(found: Explanation) -> str:
    if found.weights is None:
        return ""
    return (
        " The fusion's weight says how much of the input goes into a row's features, not whether it decides between "
        "classes: an input may weigh much and move nothing."
    )


def _score(found: Explanation) -> str:
    task = found.task
    if not task.known.all():
        return ""
    if task.names:
        return f"{int(found.right.sum())} of {len(found.answer)} query rows are answered right. "
    off = float(np.abs(found.answer - task.truth).mean())
    return f"The answers are off by {off:.3g} on average. "


def _ranked(found: Explanation, order: Iterable[int]) -> str:
    _, change = saying(bool(found.task.names))
    return ", then ".join(f"{found.inputs[i]} ({change(found.importance[i]).lstrip('+')})" for i in order)


def _subsets(found: Explanation) -> str:
    value, _ = saying(bool(found.task.names))
    nothing, rows = "nothing: guessing" if found.task.names else "nothing: the mean of the training rows", []
    for shown, values in sorted(zip(subsets(len(found.inputs)), found.values, strict=True), key=lambda s: s[0].sum()):
        names = [name for name, there in zip(found.inputs, shown, strict=True) if there]
        rows.append((" + ".join(names) or nothing, value(float(values.mean()))))
    what = "mean probability of the answer" if found.task.names else f"mean {found.task.target} answered"
    return markup.table(("shown", what), rows)


def _aside(found: Explanation) -> str:
    """What the rows cannot show."""
    if found.task.support is not None:
        return markup.note(
            "Distances are between features as the learned task has them; the nearest row need not decide, for a class "
            "may be judged by all of its rows."
        )
    return markup.note(
        "Not shown: which rows these are most like, and the rows of each class. A model file does not hold the rows "
        "that it was adapted to; give them with --support."
    )


def _alike(found: Explanation) -> Section | None:
    """Which inputs say the same."""
    if found.similarity is None:
        return None
    maps = "".join(heat_map(pair, found.similarity[pair], found.inputs) for pair in PAIRS if pair in found.similarity)
    said = "Mean cosine of the embeddings of two inputs: of one row, of two rows of a class, of rows of other classes. "
    if PAIRS[2] in found.similarity:
        gap = np.diag(found.similarity[PAIRS[1]]) - np.diag(found.similarity[PAIRS[2]])
        best = [int(i) for i in np.argsort(-np.nan_to_num(gap, nan=-np.inf), kind="stable") if np.isfinite(gap[i])]
        said += (
            "Where an input is more alike within a class than between classes, it tells them apart by itself: "
            + ", ".join(f"{found.inputs[i]} by {gap[i]:.2f}".replace("-", "−") for i in best)
            + ". Off the diagonal, two inputs that are alike say the same."
        )
    return Section("Which inputs say the same", f'<div class="heats">{maps}</div>{markup.note(said)}')


def _changed(found: Explanation) -> Section:
    """What learning the task did to the parameters."""
    change, html = found.change, ""
    if change.alike is None:
        html += markup.note(
            "Learning a task leaves this learner's network as it is: every row has the same features before and after. "
            "What it learns of the task stands beside it."
        )
    else:
        bars = "".join(
            _line(name, value if np.isfinite(value) else 0.0, f"{value:.3f}" if np.isfinite(value) else "–")
            for name, value in change.alike.items()
        )
        html += _figure(
            "How alike each input's embeddings are before and after",
            bars,
            "Linear CKA over the task's rows (Kornblith et al. 2019), 0 to 1; at 1 they are the same but for a "
            "rotation and one scale." + _little(change.alike.values()),
        )
    if change.moved:
        html += _moved(change.moved, found.task.support is None)
    return Section("What learning this task changed", html)


def _little(alike: Iterable[float]) -> str:
    """What it means if the embeddings stay nearly the same."""
    if min((value for value in alike if np.isfinite(value)), default=0.0) < LITTLE:
        return ""
    return " Here the network sees the rows nearly as it did before: what tells them apart, it knew already."


def _moved(moved: Mapping[str, float], without_support: bool) -> str:
    finite = [way for way in moved.values() if np.isfinite(way)]
    top = max(finite, default=1.0)
    lines = [
        _line(name, way / top if np.isfinite(way) else 1.0, f"{way:.2%}" if np.isfinite(way) else "from zero")
        for name, way in moved.items()
    ]
    said = "How far a module's parameters went, as a share of their length: ‖θ′ − θ‖ / ‖θ‖; those that stayed are left "
    said += "out."
    if without_support:
        said += " A head that starts at the class means is left out: the support rows are not at hand."
    html = _figure("Which parameters the task moved", "".join(lines[:MODULES]), said)
    if len(lines) > MODULES:
        html += markup.details(f"All {len(lines)} modules", f'<ul class="bars">{"".join(lines)}</ul>')
    return html


def _drawn(found: Explanation, shown: Sequence[int]) -> Section:
    """The features as a picture."""
    task, picture = found.task, found.picture
    said = [f"The plane along which the features spread most (PCA) holds {picture.share:.0%} of their variance"]
    if picture.before is not None:
        said[0] += ", and is the same in both pictures"
    said[0] += "."
    colour = "class" if task.names else task.target
    if not task.known.all():
        colour = "the answer, for the truth is not known"
    said.append(f"Small points are query rows, coloured by {colour}; numbers are those of the rows above.")
    if task.names and task.known.any():
        said.append("Those that are answered wrong are hollow.")
    if task.support is not None:
        said.append("Large points are the rows that were learned from.")
    return Section("The rows as the network sees them", scatters(found, shown) + markup.note(" ".join(said)))


def _figure(title: str, bars: str, caption: str) -> str:
    return markup.figure(title, f'<ul class="bars">{bars}</ul>', caption)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
