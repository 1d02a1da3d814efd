from __future__ import annotations

import re
from dataclasses import replace

from support.pages import Page

from omnishot.evaluation.figure import Figure
from omnishot.report import comparison

FIGURE = Figure("accuracy", 0.5, 0.01, 600, "maml", "attention", ("photo", "words"), 5, 1, 15)


def groups(html: str) -> list[str]:
    return re.findall(r"<li><h3>(.*?)</h3>", html)


def test_best_first_and_baselines_marked() -> None:
    figures = [replace(FIGURE, learner=name, mean=mean)
               for name, mean in (("scratch", 0.3), ("maml", 0.7), ("protonet", 0.8))]  # fmt: skip
    html = comparison(figures)
    assert groups(html) == ["protonet", "maml", 'scratch <span class="tag">baseline</span>']
    assert "chance, 20%" in html
    assert "left:20.00%" in html
    assert html.count("600 test episodes, seed 0") == 1


def test_learners_are_ordered_by_the_first_condition() -> None:
    alone = replace(FIGURE, modalities=("photo",), mean=0.9)
    html = comparison([FIGURE, alone, replace(FIGURE, learner="protonet", mean=0.6)])
    assert groups(html) == ["protonet", "maml"]
    assert html.index("photo alone") < html.rindex("all inputs</span>")


def test_less_error_is_better_and_other_metrics_are_left_out() -> None:
    mae = replace(FIGURE, metric="mae", ways=None, mean=2.0)
    html = comparison([mae, replace(mae, learner="anil", mean=1.0), replace(mae, metric="rmse", learner="logreg")])
    assert groups(html) == ["anil", "maml"]
    assert "chance" not in html
    assert "less is better" in html
    widths = [float(width) for width in re.findall(r'class="fill[^"]*" style="width:([\d.]+)%', html)]
    assert widths[1] == 2 * widths[0]


def test_groups_by_name() -> None:
    html = comparison({"maml": [FIGURE], "maml, <photo> only": [replace(FIGURE, modalities=("photo",))], "none": []})
    assert groups(html) == ["maml", "maml, &lt;photo&gt; only"]


def test_intervals_are_drawn_to_scale_and_within_the_track() -> None:
    html = comparison([replace(FIGURE, mean=0.5, ci95=0.1), replace(FIGURE, learner="anil", mean=0.99, ci95=0.05)])
    assert "left:40.00%;width:20.00%" in html
    assert "left:94.00%;width:6.00%" in html


def test_every_protocol_is_printed() -> None:
    html = comparison([FIGURE, replace(FIGURE, learner="anil", transductive=True, seed=3)])
    page = Page(html)
    assert "600 test episodes, seed 0; 5-way 1-shot, 15 queries a class; inductive" in page.text
    assert "600 test episodes, seed 3; 5-way 1-shot, 15 queries a class; transductive" in page.text
    assert "50.0% ± 1.0" in page.text


def test_no_figures() -> None:
    assert "no figures" in comparison([])
