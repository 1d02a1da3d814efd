"""The page of an explanation, and its summary for reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from omnishot.analysis.explain.explanation import Explanation
from omnishot.analysis.explain.row_cards import choice_text, choose_rows, row_cards
from omnishot.analysis.explain.scatter import scatters
from omnishot.analysis.explain.shapley import subsets
from omnishot.analysis.explain.similarity import PAIRS
from omnishot.core.storage import write_atomic
from omnishot.html import markup
from omnishot.html.heatmap import heatmap
from omnishot.html.page import Section, page
from omnishot.html.signed_bars import ValueFormat

#: Changed modules that are shown; the others are in a table to unfold.
MODULES = 12
#: Linear CKA above which embeddings count as nearly unchanged.
NEARLY_UNCHANGED = 0.99


def write(explanation: Explanation, path: str | Path, rows: int = 6, title: str = "Explanation of predictions") -> Path:
    """Write the page: one self-contained HTML file.

    Args:
        rows: how many query rows are shown one by one.

    Raises:
        DataError: if the file cannot be written.
    """
    write_atomic(Path(path), page(title, headline(explanation), sections(explanation, rows)))
    return Path(path)


def headline(explanation: Explanation) -> str:
    """The learner, its inputs, the task, and notes."""
    task = explanation.task
    learner = task.learner
    inputs = [n if n == m.kind else f"{n} ({m.kind})" for n, m in learner.network.modalities.items()]
    line = f"{learner.called()} on {_listed(inputs)}; {task.description}"
    return f'<p class="lead">{markup.text(line)}</p>' + "".join(map(markup.note, task.notes))


def sections(explanation: Explanation, rows: int) -> list[Section]:
    """All sections of the page."""
    shown = choose_rows(explanation, rows)
    cards = row_cards(explanation, shown)
    by_row = Section("Row by row", markup.note(choice_text(explanation, shown)) + _distance_note(explanation) + cards)
    every = [
        contributions(explanation),
        by_row,
        _similarity(explanation),
        _changes(explanation),
        _features(explanation, shown),
    ]
    return [section for section in every if section]


def brief(explanation: Explanation, rows: int = 2) -> Section:
    """The explanation as one section of a run's report."""
    shown = choose_rows(explanation, rows)
    total, task = contributions(explanation), explanation.task
    html = markup.note(f"{task.description[0].upper()}{task.description[1:]}.") + (total.html if total else "")
    html += row_cards(explanation, shown) + markup.note(
        "omnishot explain RUN writes a page with more rows and with what adaptation changes."
    )
    return Section("Explanation of predictions", html)


def contributions(explanation: Explanation) -> Section | None:
    """The contribution of each input over all rows; None for a single input."""
    task, inputs = explanation.task, explanation.inputs
    if len(inputs) == 1:
        return None
    text = ValueFormat(bool(task.classes))
    order = [int(i) for i in np.argsort(-explanation.importance, kind="stable")]
    top = explanation.importance.max() or 1.0
    groups = "".join(
        f"<li><h3>{markup.text(inputs[i])}</h3><ul class='bars'>"
        f"{_bar('mean size', explanation.importance[i] / top, text.size(explanation.importance[i]))}"
        f"{_signed_mean(explanation, i, top)}{_fusion_weight(explanation, i)}</ul></li>"
        for i in order
    )
    ranked = ", then ".join(f"{inputs[i]} ({text.size(explanation.importance[i])})" for i in order)
    line = f"{_score(explanation)}Mean size of the contributions over {len(explanation.prediction)} rows: {ranked}."
    value = "the probability of the predicted class" if task.classes else f"the predicted {task.target}"
    base = "uniform probabilities" if task.classes else "the mean of the training rows"
    method = (
        f"Contributions are Shapley values: every row is predicted with each subset of its cells, and a cell's "
        f"contribution is how much adding it changes {value}, averaged over all orders of adding the cells. For each "
        f"row they sum to the difference between the prediction from all cells and {base}. The signed mean of an input "
        "without information, such as noise, is near zero, because its contributions cancel out. Absent cells count as "
        "zero."
    )
    html = f"<p>{markup.text(line)}</p><ul class='groups'>{groups}</ul>"
    html += markup.note(method + _weights_note(explanation))
    table = markup.details("Predictions from each subset of the inputs", _subsets(explanation))
    return Section("Contributions of the inputs", html + table)


def _bar(label: str, width: float, value: str, quiet: bool = False) -> str:
    """A bar of the size of `width`, a fraction of the full width, -1…1; below zero in the colour of negative values."""
    kind = "fill negative" if width < 0 else "fill quiet" if quiet else "fill"
    return (
        f'<li><span class="label">{markup.text(label)}</span><span class="track" aria-hidden="true">'
        f'<i class="{kind}" style="width:{100 * min(abs(width), 1.0):.2f}%"></i></span>'
        f'<span class="value">{markup.text(value)}</span></li>'
    )


def _signed_mean(explanation: Explanation, i: int, top: float) -> str:
    mean = explanation.mean_contribution[i]
    return _bar("signed mean", mean / top, ValueFormat(bool(explanation.task.classes)).difference(mean), True)


def _fusion_weight(explanation: Explanation, i: int) -> str:
    if explanation.fusion_weights is None:
        return ""
    means = explanation.fusion_weights.mean(0)
    return _bar("fusion weight", float(means[i] / max(1.0, np.abs(means).max())), f"{means[i]:.2f}", True)


def _weights_note(explanation: Explanation) -> str:
    if explanation.fusion_weights is None:
        return ""
    return (
        " The fusion weight is how much an input counts in the features of a row. It does not show whether the input "
        "separates the classes: an input can have a great weight and contribute nothing."
    )


def _score(explanation: Explanation) -> str:
    """The score on the task's query rows, where all targets are known."""
    task = explanation.task
    if not task.has_target.all():
        return ""
    if task.classes:
        return f"{int(explanation.correct.sum())} of {len(explanation.prediction)} query rows are predicted correctly. "
    error = float(np.abs(explanation.prediction - task.query_target).mean())
    return f"The mean absolute error is {error:.3g}. "


def _subsets(explanation: Explanation) -> str:
    """A table of the mean value under each subset of the inputs."""
    task, rows = explanation.task, []
    text = ValueFormat(bool(task.classes))
    none = "none: uniform probabilities" if task.classes else "none: the mean of the training rows"
    every = zip(subsets(len(explanation.inputs)), explanation.values, strict=True)
    for subset, values in sorted(every, key=lambda item: item[0].sum()):
        names = [name for name, present in zip(explanation.inputs, subset, strict=True) if present]
        rows.append((" + ".join(names) or none, text.value(float(values.mean()))))
    value = "mean probability of the predicted class" if task.classes else f"mean predicted {task.target}"
    return markup.table(("inputs", value), rows)


def _distance_note(explanation: Explanation) -> str:
    """What the distances are, or why there are none."""
    if explanation.task.support is not None:
        return markup.note(
            "Distances are Euclidean, between features after adaptation. A prediction need not follow the nearest "
            "support row: a learner may use all support rows of a class."
        )
    return markup.note(
        "The nearest support rows are not shown: a model file does not hold the rows that it was adapted to. Give them "
        "with --support."
    )


def _similarity(explanation: Explanation) -> Section | None:
    """Heatmaps of the cosines between the inputs' embeddings."""
    similarity, inputs = explanation.similarity, explanation.inputs
    if similarity is None:
        return None
    maps = "".join(heatmap(pair, similarity[pair], inputs) for pair in PAIRS if pair in similarity)
    text = "Mean cosine between the embeddings of two inputs: of one row, of two rows of a class, of two classes. "
    if PAIRS[2] in similarity:
        gap = np.diag(similarity[PAIRS[1]]) - np.diag(similarity[PAIRS[2]])
        best = [int(i) for i in np.argsort(-np.nan_to_num(gap, nan=-np.inf), kind="stable") if np.isfinite(gap[i])]
        text += (
            "The more an input's cosine within a class exceeds that between classes, the better it separates them "
            "by itself: " + ", ".join(f"{inputs[i]} by {gap[i]:.2f}".replace("-", "−") for i in best) + ". "
            "A high cosine off the diagonal means that two inputs carry the same information."
        )
    return Section("Similarity of the inputs", f'<div class="heatmaps">{maps}</div>{markup.note(text)}')


def _changes(explanation: Explanation) -> Section:
    """What adaptation did to embeddings and parameters."""
    change, html = explanation.change, ""
    if change.cka is None:
        html += markup.note(
            "This learner does not change its network when it adapts to a task: every row has the same features before "
            "and after. It learns the task in its own state or head."
        )
    else:
        bars = "".join(
            _bar(name, value if np.isfinite(value) else 0.0, f"{value:.3f}" if np.isfinite(value) else "–")
            for name, value in change.cka.items()
        )
        caption = (
            "Linear CKA over the task's rows (Kornblith et al. 2019), 0 to 1; 1 if they differ by a rotation and one "
            "scale only."
        )
        if min((value for value in change.cka.values() if np.isfinite(value)), default=0.0) >= NEARLY_UNCHANGED:
            caption += " Here adaptation leaves the embeddings nearly unchanged."
        html += _bar_figure("Embeddings of each input before and after adaptation", bars, caption)
    if change.parameters:
        html += _parameter_change(change.parameters, explanation.task.support is None)
    return Section("Changes by adaptation", html)


def _parameter_change(change: Mapping[str, float], without_support: bool) -> str:
    top = max((value for value in change.values() if np.isfinite(value)), default=1.0)
    bars = [
        _bar(name, value / top if np.isfinite(value) else 1.0, f"{value:.2%}" if np.isfinite(value) else "from zero")
        for name, value in change.items()
    ]
    caption = "Relative change of each module's parameters, ‖θ′ − θ‖ / ‖θ‖; unchanged modules are left out."
    if without_support:
        caption += " A head initialised at the class means is left out, because the support rows are not known."
    html = _bar_figure("Parameters changed by adaptation", "".join(bars[:MODULES]), caption)
    if len(bars) > MODULES:
        html += markup.details(f"All {len(bars)} modules", f'<ul class="bars">{"".join(bars)}</ul>')
    return html


def _features(explanation: Explanation, shown: Sequence[int]) -> Section:
    """Scatter plots of the projected features."""
    task, features = explanation.task, explanation.features
    both = ", the same in both plots," if features.before is not None else ""
    variance = f"{features.explained_variance:.0%}"
    texts = [f"Projection onto the plane of greatest variance (PCA){both} which holds {variance} of the variance."]
    colour = "class" if task.classes else task.target
    if not task.has_target.all():
        colour = "prediction, because targets are not known"
    texts.append(f"Small points are query rows, coloured by {colour}; numbers refer to the rows above.")
    if task.classes and task.has_target.any():
        texts.append("Wrongly predicted rows are hollow.")
    if task.support is not None:
        texts.append("Large points are support rows.")
    return Section("Features of the rows", scatters(explanation, shown) + markup.note(" ".join(texts)))


def _bar_figure(title: str, bars: str, caption: str) -> str:
    return markup.figure(title, f'<ul class="bars">{bars}</ul>', caption)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
