from __future__ import annotations

from dataclasses import replace

import pytest

from omnishot.episodes.corruption import Corruption
from omnishot.evaluation.figure import Figure
from omnishot.evaluation.format import condition, duration, interval, protocol, shape, task
from omnishot.metrics.metric import metric_of

FIGURE = Figure("accuracy", 0.4712, 0.0304, 600, "maml", "sum", ("photo", "words"), 5, 1, 15)


@pytest.mark.parametrize(
    ("changes", "inputs", "text"),
    [
        ({}, 2, "all inputs"),
        ({}, 3, "photo + words"),
        ({"modalities": ("photo",)}, 2, "photo alone"),
        ({"modalities": ("photo",)}, 1, "photo"),
        ({"corruption": Corruption(missing={"*": 0.5})}, 2, "half of all cells missing"),
        ({"corruption": Corruption(support_inputs=("words",))}, 2, "support rows of words only"),
        (
            {"corruption": Corruption(support_inputs=("words",), query_inputs=("photo",))},
            3,
            "support rows of words only, query rows of photo only",
        ),
        (
            {"modalities": ("photo",), "corruption": Corruption(noise={"photo": 0.3})},
            2,
            "photo alone, noise 0.3 on photo",
        ),
    ],
)
def test_condition(changes: dict, inputs: int, text: str) -> None:
    assert condition(replace(FIGURE, **changes), inputs) == text


def test_figures_in_the_metrics_own_manner() -> None:
    assert interval(FIGURE) == "47.1% ± 3.0"
    assert interval(replace(FIGURE, metric="mae", mean=1234.567, ci95=12.345)) == "1235 ± 12"
    assert interval(replace(FIGURE, metric="mae", mean=0.8961, ci95=0.1)) == "0.90 ± 0.10"
    assert interval(replace(FIGURE, metric="mae", mean=0.25, ci95=0.0)) == "0.250 ± 0.000"


def test_tasks_with_classes_outside_say_so() -> None:
    assert task(FIGURE) == "5-way 1-shot, 15 queries a class"
    assert task(replace(FIGURE, open_set=3)) == "5-way 1-shot, 15 queries a class, and of 3 open-set classes"
    assert "of 3 open-set classes" in protocol(replace(FIGURE, open_set=3))


def test_shapes_and_durations() -> None:
    assert shape(5, 1, 15) == "5-way 1-shot, 15 queries a class"
    assert shape((2, 5), [1, 1]) == "2 to 5-way 1-shot"
    assert shape(None, 3, 4) == "3-shot, 4 queries a task"
    assert [duration(s) for s in (3.21, 59.6, 61, 3_700)] == ["3.2 s", "1 min 0 s", "1 min 1 s", "1 h 1 min"]


def test_retrieval_is_said_by_inputs_and_gallery():
    found = replace(FIGURE, metric="recall_at_5_my_photo_to_text", gallery=100, ways=None, shots=0)
    assert metric_of(found.metric).label == "Recall@5, my_photo → text"
    assert metric_of(found.metric).fraction
    assert metric_of("median_rank_a_to_b_by_chance").label == "Median rank, a → b, by chance"
    assert not metric_of("median_rank_a_to_b").higher_is_better
    assert "galleries of test rows" in protocol(found)
    assert "retrieved among 100 rows, no task learned" in protocol(found)
    assert "one gallery of test rows" in protocol(replace(found, episodes=1))
