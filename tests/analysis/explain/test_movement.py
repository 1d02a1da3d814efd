from __future__ import annotations

import math

import pytest
import torch

from omnishot.analysis.explain.movement import module_name, movement


def test_it_is_the_way_over_the_length_by_module_the_furthest_first():
    ones = torch.ones(4)
    before = {"head.weight": torch.tensor([3.0, 0.0]), "head.bias": torch.tensor([4.0]), "network.fusion.a": ones}
    after = {**before, "head.weight": torch.tensor([3.0, 1.0]), "network.fusion.a": 2 * ones, "more": ones}
    assert movement(before, after) == {"fusion": pytest.approx(1.0), "head": pytest.approx(0.2)}
    assert list(movement(before, after)) == ["fusion", "head"]


def test_what_stays_is_left_out_and_what_was_zero_comes_from_zero():
    zero = {"lora.left": torch.zeros(2), "lora.right": torch.ones(2)}
    assert movement(zero, dict(zero)) == {}
    assert movement({"context.a": torch.zeros(2)}, {"context.a": torch.ones(2)}) == {"context": math.inf}


def test_modules_are_called_by_their_input():
    inputs = ["photo", "words"]
    assert module_name("network.encoders.1.blocks.0.norm.scale", inputs) == "words: encoder.blocks.0.norm"
    assert module_name("network.projections.0.0.weight", inputs) == "photo: projection.0"
    assert module_name("network.encoders.0.table", inputs) == "photo: encoder"
    assert module_name("network.fusion.score", inputs) == "fusion"
    assert module_name("log_scale", inputs) == "log_scale"
