from __future__ import annotations

import numpy as np
import pytest
import torch

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.metrics import metric as metrics
from omnishot.metrics.metric import Metric, add_metrics, metric_of
from omnishot.objectives import OBJECTIVES
from omnishot.objectives.classify import Classify
from omnishot.objectives.regress import Regress
from omnishot.objectives.tag import Tag

MORE = [
    "accuracy",
    "accuracy_at_coverage_80",
    "open_set_auroc",
    "open_set_auroc_confidence",
    "accuracy_improvement",
    "mae_improvement",
    "r2",
    "r2_2",
    "pearson",
    "spearman",
    "bleu1",
    "bleu4",
    "rouge_l",
    "cider_d",
    "new_word_recall",
    "new_word_precision",
    "token_accuracy",
    "soft_accuracy",
    "soft_accuracy_chosen",
    "mean_average_precision",
    "f1_micro",
    "f1_macro",
    "recall_at_5",
    "recall_at_1_image_to_text",
    "recall_at_10_a_to_b_by_chance",
]
LESS = [
    "loss",
    "calibration_error",
    "mae",
    "mae_1",
    "rmse",
    "rmse_1",
    "mse",
    "word_error_rate",
    "character_error_rate",
    "median_rank",
    "median_rank_a_to_b_by_chance",
]


@pytest.mark.parametrize("name", MORE)
def test_more_is_better(name: str) -> None:
    assert metric_of(name).higher_is_better


@pytest.mark.parametrize("name", LESS)
def test_less_is_better(name: str) -> None:
    assert not metric_of(name).higher_is_better


@pytest.mark.parametrize(
    "name", ["accuracy", "mean_average_precision", "open_set_auroc", "f1_macro", "word_error_rate"]
)
def test_fractions_are_printed_in_percent(name: str) -> None:
    assert metric_of(name).fraction


@pytest.mark.parametrize("name", ["mse", "mae_1", "r2_2", "cider_d", "loss", "median_rank", "mae_improvement"])
def test_other_metrics_are_plain_numbers(name: str) -> None:
    assert not metric_of(name).fraction


@pytest.mark.parametrize("name", ["acuracy", "mae_", "mae_x", "accuracy_1", "recall_at_k", "cost", "cost_improvement"])
def test_an_unknown_metric_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"unknown metric '{name}'"):
        metric_of(name)


def test_metrics_are_added_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_METRICS", dict(metrics._METRICS))
    cost = Metric("Cost", higher_is_better=False)
    add_metrics({"cost": cost})
    add_metrics({"cost": cost})
    assert metric_of("cost") == cost
    with pytest.raises(UsageError, match="metric 'accuracy' is defined already"):
        add_metrics({"accuracy": cost})


def test_every_figure_of_an_objective_is_in_the_table() -> None:
    present = torch.ones(3, 1).bool()
    classes = Rows({}, present, torch.arange(3), None, 3)
    numbers = Rows({}, present, torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]]))
    labels = Rows({}, present, torch.eye(3))
    figures = [
        *Classify().metrics(torch.eye(3), classes),
        *Classify().aggregate([(np.eye(3), np.arange(3))]),
        *Regress([0.0, 0.0], [1.0, 1.0]).metrics(torch.zeros(3, 2), numbers),
        *Tag().metrics(torch.eye(3), labels),
        *(OBJECTIVES.load(name).metric for name in OBJECTIVES.names()),
    ]
    for name in figures:
        assert metric_of(name).label
